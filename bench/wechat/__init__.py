"""WeChat callbacks a second on one core: ours, and wechatpy on aiohttp giving the same minimal answer."""
