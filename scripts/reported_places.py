"""Real places of Yuncheng that newspapers named, with what they said and nothing else.

No article gives coordinates, opening hours or telephone numbers, so there are none here: these places are
found by name until somebody surveys them. A price's day is the first of the month of its report.
"""

_COVER_STORY = "运城报纸2026年1月报道《从“城市奔跑者”到“治理生力军”》"
_CIRCLE_STORY = "运城报纸2025年夏季报道（一刻钟便民生活圈）"
_TO_SURVEY = "坐标、开放时间和电话待核实。"

REPORTED: tuple[dict[str, str], ...] = (
    {
        "code": "yc-qingfeng",
        "name": "青丰司机之家",
        "kind": "truckers_home",
        "county": "140882",
        "amenities": "meals;shop;rest;shower;microwave;first_aid;bed",
        "prices": "自助餐=25/人; 住宿=80/晚·间",
        "prices_at": "2026-01-01",
        "source": f"{_COVER_STORY}（原文地名作天津市）",
        "note": "报道原文写作“天津市青丰司机之家”，按上下文应在河津市；名称和地点都待核实。"
        f"报道称喝水、热饭、洗澡、临时休息免费。{_TO_SURVEY}",
    },
    {
        "code": "yc-drivers-hub",
        "name": "党群服务“司机小站”",
        "kind": "drivers_hub",
        "amenities": "car_parking;car_charging;rest;meals;reading;phone_charging;car_wash;toilet;shower",
        "piles": "19",
        "connectors": "38",
        "parking_spaces": "70",
        "operator": "市交通运输局、市邮政管理局",
        "source": _COVER_STORY,
        "note": "报道称停车场约1000平方米，可免费停70余辆车，19个充电桩可供38辆车同时充电；"
        f"大货车能否进入待核实。{_TO_SURVEY}",
    },
    {
        "code": "yc-wenxi-canteen",
        "name": "闻喜服务区司机食堂（司机之家）",
        "kind": "truckers_home",
        "county": "140823",
        "amenities": "meals;shower",
        "prices": "四菜一汤一碗面=9.9",
        "prices_at": "2024-01-01",
        "source": "law.sxgov.cn 2024年1月报道",
        "note": f"报道称热水澡免费；现价待核实。{_TO_SURVEY}",
    },
    {
        "code": "yc-fudongjie-canteen",
        "name": "府东街社区爱心食堂",
        "kind": "canteen",
        "county": "140802",
        "address": "盐湖区东城街道府东街社区党群服务中心院内",
        "amenities": "meals;rest",
        "prices": "午餐=10/位",
        "prices_at": "2025-08-01",
        "source": _CIRCLE_STORY,
        "note": f"报道称午餐为自助餐，老人、户外劳动者、上班族和学生都可就餐。{_TO_SURVEY}",
    },
    {
        "code": "yc-huayuan-merchants",
        "name": "华源豪庭社区爱心商家",
        "kind": "merchant",
        "address": "姚孟街道华源豪庭社区",
        "amenities": "first_aid;rest;shelter",
        "source": _CIRCLE_STORY,
        "note": f"报道称共10家，提供饮水、爱心药箱、免费充电、免费休息和紧急避雨。{_TO_SURVEY}",
    },
    {
        "code": "yc-yudu-garden-vending",
        "name": "禹都花园智能购物柜",
        "kind": "vending",
        "amenities": "shop",
        "source": _CIRCLE_STORY,
        "note": f"报道称扫码开柜、无人值守。{_TO_SURVEY}",
    },
    {
        "code": "yc-jinhaiwan-workshop",
        "name": "金海湾社区便民服务点",
        "kind": "workshop",
        "address": "安邑街道金海湾社区",
        "source": _CIRCLE_STORY,
        "note": f"报道称可修鞋、补衣、配钥匙、修家电、开锁。{_TO_SURVEY}",
    },
    {
        "code": "yc-yudu-park",
        "name": "禹都公园",
        "kind": "venue",
        "source": _CIRCLE_STORY,
        "note": _TO_SURVEY,
    },
    {
        "code": "yc-nanhu-garden",
        "name": "运城南湖红色文化园",
        "kind": "venue",
        "source": _COVER_STORY,
        "note": _TO_SURVEY,
    },
)
