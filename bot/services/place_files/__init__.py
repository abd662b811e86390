"""The directory of places as files: taken in, given out."""

from bot.services.place_files.exporting import export_places
from bot.services.place_files.importing import ImportReport, Progress, import_places
from bot.services.place_files.readers import UnknownFormat
from bot.services.place_files.reading import Remark
from bot.services.place_files.samples import load_samples

__all__ = [
    "ImportReport",
    "Progress",
    "Remark",
    "UnknownFormat",
    "export_places",
    "import_places",
    "load_samples",
]
