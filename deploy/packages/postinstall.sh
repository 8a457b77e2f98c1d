#!/bin/sh
# Restarts a running service after an upgrade. A first installation starts nothing, because the secret and the database
# are not configured yet.
set -eu
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl try-restart lockbox.service
