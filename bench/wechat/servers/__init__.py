"""The servers under measurement: each one greets everybody who writes, in the mode that its address asks for."""
