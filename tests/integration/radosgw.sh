#!/bin/bash
# A real S3 server for tests: one Ceph monitor, one OSD in memory and one radosgw, on loopback only, for any user.
#
#   radosgw.sh start DIR PORT   start in DIR, S3 on 127.0.0.1:PORT; also uses ports PORT+1 ... PORT+61
#   radosgw.sh stop DIR         stop the daemons of DIR; nothing is left running
#   radosgw.sh env DIR          print the S3V_TEST_S3_* exports
#
# Needs the Debian packages radosgw ceph-mon ceph-osd ceph-common curl. All output of the daemons goes to DIR/log.
# Data live in memory: they are gone after stop.
set -euo pipefail

readonly ACCESS_KEY=s3vkey SECRET_KEY=s3vsecret BUCKET=s3v-test REGION=us-east-1
readonly DAEMONS="rgw osd mon"

die() { echo "radosgw.sh: $*" >&2; exit 1; }

usage() { sed -n '2,/^set/s/^#   //p' "$0" >&2; exit 2; }

# --- configuration ---

# Settings that matter and are not obvious:
#   ms mon client mode = crc    the default asks for encryption, which needs cephx; radosgw then retries for 30 s and exits
#   tcp_nodelay=1               without it every small ranged GET takes 44 ms
#   paxos, mon tick             start in one second instead of four
#   rgw gc ...                  deleted objects leave memory after seconds, not hours
#   rgw dns name                virtual-hosted style: bucket.s3.localhost
write_config() {
  local dir=$1 port=$2
  cat >"$dir/ceph.conf" <<EOF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = v2:127.0.0.1:$((port + 1))
public network = 127.0.0.0/8
ms bind ipv6 = false
ms bind port min = $((port + 2))
ms bind port max = $((port + 61))
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon max pg per osd = 1000
paxos propose interval = 0.05
paxos min wait = 0.02
mon tick interval = 1
mon data avail warn = 1
mon data avail crit = 1
osd objectstore = memstore
memstore device bytes = 8589934592
osd memory target = 1073741824
run dir = $dir/run
admin socket = $dir/run/\$name.\$pid.asok
log file = $dir/log/\$name.log
pid file =
crash dir = $dir/log
mgr initial modules =
[mon.a]
mon data = $dir/mon
[osd.0]
osd data = $dir/osd
[client.rgw.a]
keyring = $dir/keyring
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw thread pool size = 128
rgw enable usage log = false
rgw dynamic resharding = false
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw dns name = s3.localhost
EOF
}

# --- daemons ---

# spawn DIR NAME COMMAND...: in a session of its own, so that the caller's signals and pipes do not reach it.
# In the root directory: Ceph of Debian 13 looks for lib/x86_64-linux-gnu/rados-classes from where it stands.
spawn() {
  local dir=$1 name=$2
  shift 2
  setsid env -C / "$@" -c "$dir/ceph.conf" -f >>"$dir/log/$name.out" 2>&1 </dev/null &
  echo $! >"$dir/$name.pid"
}

# Is the process of that pid file alive, and is it still ours? A pid may be in use again after a reboot or a long time.
is_running() {
  local dir=$1 name=$2 pid
  pid=$(cat "$dir/$name.pid" 2>/dev/null) && [ -e "/proc/$pid" ] || return 1
  { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$dir/ceph.conf"
}

# wait_until SECONDS COMMAND...
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

# wait_for_daemon DIR NAME COMMAND...: until the command succeeds; ends early if the daemon does.
wait_for_daemon() {
  local dir=$1 name=$2 end=$((SECONDS + 60))
  shift 2
  until "$@"; do
    is_running "$dir" "$name" || die "$name ended: $(tail -n 3 "$dir/log/$name.out")"
    [ $SECONDS -lt $end ] || die "$name does not answer, see $dir/log"
    sleep 0.05
  done
}

start_monitor() {
  local dir=$1 port=$2 name
  ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
  for name in client.admin client.rgw.a; do
    ceph-authtool "$dir/keyring" --gen-key -n $name --cap mon 'allow *' --cap osd 'allow *' >/dev/null
  done
  monmaptool --create --fsid "$(sed -n 's/^fsid = //p' "$dir/ceph.conf")" --addv a "[v2:127.0.0.1:$((port + 1))]" \
    "$dir/monmap" >/dev/null
  ceph-mon -c "$dir/ceph.conf" -i a --mkfs --monmap "$dir/monmap" --keyring "$dir/keyring" >>"$dir/log/mkfs.out" 2>&1
  spawn "$dir" mon ceph-mon -i a
}

ceph_says() {
  local dir=$1 pattern=$2
  shift 2
  timeout 5 ceph -c "$dir/ceph.conf" -k "$dir/keyring" "$@" 2>/dev/null | grep -q -- "$pattern"
}

start_osd() {
  local dir=$1 uuid
  uuid=$(cat /proc/sys/kernel/random/uuid)
  wait_for_daemon "$dir" mon ceph_says "$dir" '^0$' osd new "$uuid"
  ceph-osd -c "$dir/ceph.conf" -i 0 --mkfs --osd-uuid "$uuid" >>"$dir/log/mkfs.out" 2>&1
  spawn "$dir" osd ceph-osd -i 0
  wait_for_daemon "$dir" osd ceph_says "$dir" '1 up' osd stat
}

http_answers() { curl -s -o /dev/null "http://127.0.0.1:$1/"; }

# The bucket by a request that curl signs: simple enough for it. The keys go in by standard input, not by the command
# line, which every user can see.
make_bucket() {
  local port=$1
  curl -sf -o /dev/null -K - -X PUT --aws-sigv4 "aws:amz:$REGION:s3" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
    "http://127.0.0.1:$port/$BUCKET" <<<"user = \"$ACCESS_KEY:$SECRET_KEY\""
}

start() {
  local dir=$1 port=$2 program
  [[ $port =~ ^[0-9]+$ ]] || usage
  for program in ceph-mon ceph-osd radosgw radosgw-admin ceph curl; do
    command -v $program >/dev/null || die "$program is missing: apt-get install radosgw ceph-mon ceph-osd ceph-common curl"
  done
  [ ! -e "$dir/ceph.conf" ] || die "$dir has been used: stop it and remove it first"
  mkdir -p "$dir"/{mon,osd,rgw,run,log}
  write_config "$dir" "$port"
  trap 'stop "$dir"' ERR EXIT
  start_monitor "$dir" "$port"
  start_osd "$dir"
  spawn "$dir" rgw radosgw -n client.rgw.a
  wait_for_daemon "$dir" rgw http_answers "$port"
  radosgw-admin -c "$dir/ceph.conf" -n client.rgw.a user create --uid=s3v --display-name=s3v \
    --access-key=$ACCESS_KEY --secret-key=$SECRET_KEY >/dev/null 2>>"$dir/log/admin.out" || die "no user, see $dir/log"
  wait_for_daemon "$dir" rgw make_bucket "$port"
  trap - ERR EXIT
  echo "$port" >"$dir/port"
}

# --- the end ---

none_running() {
  local dir=$1 name
  for name in $DAEMONS; do ! is_running "$dir" $name || return 1; done
}

signal_all() {
  local signal=$1 dir=$2 name
  for name in $DAEMONS; do
    if is_running "$dir" $name; then kill -"$signal" "$(cat "$dir/$name.pid")" 2>/dev/null || true; fi
  done
}

# Nothing of value is lost by KILL, for all data are in memory; a daemon halted by a test (SIGSTOP) hears it, too.
stop() {
  local dir=$1
  signal_all TERM "$dir"
  wait_until 1 none_running "$dir" || signal_all KILL "$dir"
  wait_until 5 none_running "$dir" || die "daemons of $dir do not stop"
}

print_env() {
  local dir=$1
  [ -s "$dir/port" ] || die "no server in $dir"
  echo "export S3V_TEST_S3_ENDPOINT=http://127.0.0.1:$(cat "$dir/port")"
  echo "export S3V_TEST_S3_BUCKET=$BUCKET"
  echo "export S3V_TEST_S3_ACCESS_KEY=$ACCESS_KEY"
  echo "export S3V_TEST_S3_SECRET_KEY=$SECRET_KEY"
}

[ $# -ge 2 ] || usage
dir=$(realpath -m "$2")
case $1 in
start) [ $# -eq 3 ] || usage; start "$dir" "$3" ;;
stop) stop "$dir" ;;
env) print_env "$dir" ;;
*) usage ;;
esac
