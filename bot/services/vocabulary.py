"""The words of the places file, and what people call them."""

from bot.i18n import Text, _

KIND_NAMES: dict[str, Text] = {
    "rest_station": _("Rest station"),
    "truckers_home": _("Truckers' home"),
    "taxi_stop": _("Taxi drivers' stop"),
    "ridehail_station": _("Ride-hail drivers' station"),
    "drivers_hub": _("Drivers' hub"),
    "charging": _("Car charging station"),
    "ebike_charging": _("E-bike charging point"),
    "battery_swap": _("Battery swap cabinet"),
    "friendly_place": _("Friendly place"),
    "community": _("Friendly community"),
    "merchant": _("Caring shop"),
    "canteen": _("Community canteen"),
    "vending": _("Smart vending cabinet"),
    "workshop": _("Community workshop"),
    "service_point": _("Service point"),
    "venue": _("Venue"),
}

AMENITY_NAMES: dict[str, Text] = {
    "hot_water": _("Hot water"),
    "meals": _("Meals"),
    "microwave": _("Microwave"),
    "rest": _("Rest area"),
    "bed": _("Bed for the night"),
    "shower": _("Shower"),
    "laundry": _("Laundry"),
    "toilet": _("Toilet"),
    "women_room": _("Women's room"),
    "phone_charging": _("Phone charging"),
    "ebike_charging": _("E-bike charging"),
    "car_charging": _("Car charging"),
    "battery_swap": _("Battery swap"),
    "car_parking": _("Car parking"),
    "truck_parking": _("Truck parking"),
    "bike_parking": _("Bike parking"),
    "wifi": _("Wi-Fi"),
    "first_aid": _("First-aid kit"),
    "medicine": _("Everyday medicine"),
    "aed": _("AED"),
    "heating": _("Heating"),
    "air_conditioning": _("Air conditioning"),
    "shelter": _("Shelter from rain"),
    "reading": _("Reading"),
    "umbrella": _("Umbrella"),
    "tyre_pump": _("Tyre pump"),
    "repair": _("Repairs"),
    "car_wash": _("Car wash"),
    "haircut": _("Haircut"),
    "legal_desk": _("Legal advice desk"),
    "shop": _("Shop"),
    "wheelchair": _("Wheelchair access"),
    "guide_map": _("Guide map"),
    "trolley": _("Trolley to borrow"),
    "loan_bike": _("Bike to borrow"),
}

ENTRY_NAMES: dict[str, Text] = {
    "free": _("Walk in"),
    "scan": _("Scan a code to enter"),
    "password": _("Door code needed"),
    "face": _("Face scan to enter"),
    "attendant": _("Ask the attendant"),
}

STATE_NAMES: dict[str, Text] = {
    "published": _("Published"),
    "hidden": _("Hidden"),
    "closed": _("Closed for a time"),
    "removed": _("Removed"),
}

KINDS = tuple(KIND_NAMES)
AMENITIES = tuple(AMENITY_NAMES)
ENTRIES = tuple(ENTRY_NAMES)
STATES = tuple(STATE_NAMES)
