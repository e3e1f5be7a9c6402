#!/bin/bash
# OpenStack Swift with its S3 interface on loopback, one disk folder and one copy of each object: swift_up.sh FOLDER. S3 at port 16900.
set -euo pipefail
folder=$1 port=16900
packages=(swift-proxy swift-account swift-container swift-object memcached)
mkdir -p "$folder"/{disk/d1,log}
cd "$folder"

if ! dpkg --status "${packages[@]}" > /dev/null 2>&1; then
    apt-get update > log/apt.log
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}" >> log/apt.log 2>&1
fi

for kind in account container object; do
    port=$((port + 1))
    swift-ring-builder $kind.builder create 4 1 0
    swift-ring-builder $kind.builder add r1z1-127.0.0.1:$port/d1 1
    swift-ring-builder $kind.builder rebalance
    cat > $kind.conf << CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
user = root
swift_dir = $folder
devices = $folder/disk
mount_check = false
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
CONF
done > log/rings.log

cat > proxy.conf << CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = 16900
workers = 0
user = root
swift_dir = $folder
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:16904
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_fcr_fcr = loopback .admin
[filter:slo]
use = egg:swift#slo
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
CONF

memcached -u nobody -l 127.0.0.1 -p 16904 < /dev/null > log/memcached.log 2>&1 &
echo $! > memcached.pid
for kind in account container object proxy; do
    swift-$kind-server -v $kind.conf < /dev/null > log/$kind.log 2>&1 &
    echo $! > $kind.pid
done
for port in 16900 16901 16902 16903; do
    for _ in $(seq 300); do
        if (: < /dev/tcp/127.0.0.1/$port) 2> /dev/null; then continue 2; fi
        sleep 0.2
    done
    tail log/*.log >&2
    exit 1
done
