#!/bin/bash
# End what swift_up.sh FOLDER started, by pid file.
for file in "$1"/*.pid; do kill "$(cat "$file")"; done
