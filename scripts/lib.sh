# What the scripts share: packages, build, a throw-away PostgreSQL with s3v in it. Sourced, never run.
# Everything works as root or as a user who may sudo; servers never run as root.

S3V_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_MAJOR=${PG_MAJOR:-15}

S3V_BUILD_PACKAGES=(g++ cmake ninja-build pkg-config
    libcurl4-openssl-dev libssl-dev nlohmann-json3-dev libeigen3-dev libhwy-dev libpugixml-dev libisal-dev libxxhash-dev libicu-dev
    "postgresql-$PG_MAJOR" postgresql-server-dev-all)
S3V_TEST_PACKAGES=(libgtest-dev libgmock-dev python3 python3-numpy libipc-run-perl "postgresql-client-$PG_MAJOR"
    curl radosgw ceph-mon ceph-osd ceph-common "postgresql-$PG_MAJOR-cron")
# Debian has pgvector since 13, for its PostgreSQL 17.
[ "$PG_MAJOR" -lt 17 ] || S3V_TEST_PACKAGES+=("postgresql-$PG_MAJOR-pgvector")

say() { printf '\n== %s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs what is missing; needs no network when nothing is.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return 0
    say "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# build_s3v DIR [cmake options]: configures and builds; ccache is used where it is.
build_s3v() {
    local dir=$1
    shift
    local launcher=()
    command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    cmake -S "$S3V_ROOT" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DPG_CONFIG="/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" "${launcher[@]}" "$@" >"$dir.configure.log" 2>&1 ||
        { cat "$dir.configure.log" >&2; die "cmake failed"; }
    cmake --build "$dir" || die "the build failed"
}

# The account that servers run as: ours, or postgres when we are root.
server_user() {
    if [ "$(id -u)" = 0 ]; then echo postgres; else id -un; fi
}
as_server_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups env --chdir=/ HOME=/tmp "$@"
    else
        "$@"
    fi
}

# copy_postgres DIR BUILD: a private copy of PostgreSQL with s3v installed, so that the machine's own stays untouched.
# PostgreSQL finds its files relative to its binaries.
copy_postgres() {
    local dir=$1 build=$2 lib share
    lib=$("/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" --pkglibdir)
    share=$("/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" --sharedir)
    mkdir -p "$dir/lib/postgresql" "$dir/share/postgresql"
    cp -a "/usr/lib/postgresql/$PG_MAJOR" "$dir/lib/postgresql/"
    cp -a "$share" "$dir/share/postgresql/"
    cp "$build/extension/s3v.so" "$dir/${lib#/usr/}/"
    # For the one test that wants it: the library with fault points, under a name that no extension refers to.
    [ ! -f "$build/extension/s3v_fault_points.so" ] || cp "$build/extension/s3v_fault_points.so" "$dir/${lib#/usr/}/"
    cp "$build/extension/s3v.control" "$build"/extension/s3v--*.sql "$dir/${share#/usr/}/extension/"
    chmod -R a+rX "$dir"
}

# start_postgres PG DIR PORT [configuration lines]: a throw-away cluster, superuser postgres, socket in DIR.
start_postgres() {
    local pg=$1 dir=$2 port=$3 line
    shift 3
    local bin="$pg/lib/postgresql/$PG_MAJOR/bin"
    mkdir -p "$dir"
    [ "$(id -u)" = 0 ] && chown "$(server_user)": "$dir"
    if [ ! -d "$dir/data" ]; then
        as_server_user "$bin/initdb" -D "$dir/data" -U postgres -A trust --no-sync --locale=C.UTF-8 -E UTF8 >"$dir.initdb.log" 2>&1 ||
            { cat "$dir.initdb.log" >&2; die "initdb failed"; }
        {
            echo "listen_addresses = ''"
            echo "port = $port"
            echo "unix_socket_directories = '$dir'"
            for line in "$@"; do echo "$line"; done
        } | as_server_user tee -a "$dir/data/postgresql.conf" >/dev/null
    fi
    as_server_user "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start >/dev/null </dev/null ||
        { tail -n 20 "$dir/log" >&2; die "PostgreSQL did not start"; }
}

stop_postgres() {
    local pg=$1 dir=$2 mode=${3:-fast}
    [ -f "$dir/data/postmaster.pid" ] || return 0
    as_server_user "$pg/lib/postgresql/$PG_MAJOR/bin/pg_ctl" -D "$dir/data" -m "$mode" -w stop >/dev/null
}
