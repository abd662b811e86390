"""What the roles of the staff are called."""

from collections.abc import Mapping
from types import MappingProxyType

from bot.i18n import Text, _

ROLE_NAMES: Mapping[str, Text] = MappingProxyType(
    {
        "admin": _("Administrator: everything"),
        "editor": _("Editor: places and notices"),
        "approver": _("Approver: approves notices"),
        "operator": _("Operator: offerings, bookings, check-in"),
        "lawyer": _("Lawyer: their own consultations"),
        "county": _("County: all of it within their counties"),
        "viewer": _("Viewer: figures only"),
    }
)
