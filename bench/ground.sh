# What bench/run and bench/large share: the programs, the peers, the throw-away servers. Sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

build=${S3V_BENCH_BUILD:-$S3V_ROOT/build/bench}
tools=$build/tools

skipped() { printf '\nSKIPPED: %s\n\n' "$*" >&2; }

# compile NAME FOLDER_OR_FILE [flags]: all .cpp files of a folder, or one, into $tools, when any source is newer.
compile() {
    local out=$tools/$1 source=$2 sources=()
    shift 2
    mkdir -p "$tools"
    if [ -e "$out" ] && [ -z "$(find "$source" -newer "$out" -type f)" ]; then return 0; fi
    mapfile -t sources < <(find "$source" -name '*.cpp' | sort)
    g++ -O3 -Wall -Wextra -pthread "${sources[@]}" -o "$out" "$@"
}

build_generator() { compile generate "$S3V_ROOT/bench/generator" -std=c++20; }

build_faiss_peer() {
    if [ -e /usr/include/faiss/Index.h ]; then
        compile faiss_peer "$S3V_ROOT/bench/peers/faiss_peer.cpp" -std=c++17 -fopenmp -lfaiss -lopenblas
    fi
}

# Links the core's libraries, so it is made anew with every build of them.
build_core_bench() {
    mkdir -p "$tools"
    # shellcheck disable=SC2046
    g++ -std=c++20 -O3 -Wall -Wextra -pthread -I"$S3V_ROOT/src" "$S3V_ROOT/bench/core_bench.cpp" -o "$tools/core_bench" \
        -Wl,--start-group "$build"/src/*.a -Wl,--end-group $(pkg-config --libs libcurl libcrypto pugixml libisal libhwy libxxhash)
}

# ---- pgvector and VectorChord: into the private copy of PostgreSQL --------------------------------------------------

# pgvector_source DIR: Debian's source package. Debian 12 has none of its own, but later releases on the same mirror do.
pgvector_source() {
    local dir=$1 apt=$1/apt mirror release
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $(. /etc/os-release; echo "$VERSION_CODENAME")" | sort -u | head -n 1)
    [ -n "$mirror" ] || return 1
    mkdir -p "$apt"/{lists/partial,cache/archives/partial,state}
    : >"$apt/status"
    for release in trixie sid; do
        echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >"$apt/sources.list"
        cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache"; APT::Sandbox::User "root";
CONF
        (cd "$dir" && APT_CONFIG=$apt/apt.conf apt-get -qq update && APT_CONFIG=$apt/apt.conf apt-get -qq source --download-only pgvector) \
            >"$dir/apt.log" 2>&1 || continue
        mkdir -p "$dir/source" && tar -xf "$dir"/pgvector_*.orig.tar.* -C "$dir/source" --strip-components 1 && return 0
    done
    return 1
}

# find_pgvector: a directory with vector.so, vector.control and the scripts, in $pgvector; empty when there is none.
# $1 "build": get and build it when it is not there.
find_pgvector() {
    local made=$build/pgvector
    pgvector=${S3V_PGVECTOR_DIR:-}
    if [ -n "$pgvector" ]; then return 0; fi
    if [ -e "$made/source/vector.so" ]; then pgvector=$made/source; return 0; fi
    [ "${1:-}" = build ] || return 0
    say "building pgvector from Debian's source package"
    mkdir -p "$made"
    if [ ! -d "$made/source" ] && ! pgvector_source "$made"; then
        skipped "pgvector: no Debian mirror gives its source package (log: $made/apt.log); S3V_PGVECTOR_DIR may name a build"
        return 0
    fi
    # Portable code, as Debian would build it; pgvector chooses its kernels at run time.
    if make -s -C "$made/source" OPTFLAGS= "PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" with_llvm=no >"$made/make.log" 2>&1; then
        pgvector=$made/source
    else
        skipped "pgvector does not build, see $made/make.log"
    fi
}

# install_extension PG DIR NAME: library, control file and scripts, wherever they lie below DIR, into a copy of PostgreSQL.
install_extension() {
    local pg=$1 dir=$2 name=$3 lib share
    lib=$("/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" --pkglibdir)
    share=$("/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" --sharedir)
    find "$dir" -name "$name.so" -exec cp {} "$pg/${lib#/usr/}/" \;
    find "$dir" \( -name "$name.control" -o -name "$name--*.sql" \) -exec cp {} "$pg/${share#/usr/}/extension/" \;
    [ -e "$pg/${lib#/usr/}/$name.so" ] && [ -e "$pg/${share#/usr/}/extension/$name.control" ] ||
        die "$dir holds no $name.so with $name.control"
    chmod -R a+rX "$pg"
}

# ---- LanceDB: from PyPI, in an environment of its own ----------------------------------------------------------------

# make_lance: python of an environment with LanceDB in $lance; empty when there is none.
make_lance() {
    local home=$build/lance
    lance=
    if [ ! -e "$home/ready" ]; then
        say "installing LanceDB into $home"
        install_packages python3-venv
        if ! { /usr/bin/python3 -m venv "$home" && "$home/bin/pip" install --quiet lancedb; } >"$build/lance.log" 2>&1; then
            skipped "LanceDB: pip could not install it (log: $build/lance.log)"
            return 0
        fi
        touch "$home/ready"
    fi
    lance=$home/bin/python
}

# ---- servers ---------------------------------------------------------------------------------------------------------

# start_ground WORK PORT: PostgreSQL with s3v and the peers that were found, database bench.
# S3V_BENCH_PRODUCT names a build of s3v other than this tree's.
start_ground() {
    local work=$1 port=$2 lines=()
    pg=$work/pg
    copy_postgres "$pg" "${S3V_BENCH_PRODUCT:-$build}"
    [ -z "$pgvector" ] || install_extension "$pg" "$pgvector" vector
    if [ -n "${S3V_VECTORCHORD_DIR:-}" ]; then
        install_extension "$pg" "$S3V_VECTORCHORD_DIR" vchord
    fi
    if [ -e "$pg/lib/postgresql/$PG_MAJOR/lib/vchord.so" ]; then
        lines+=("shared_preload_libraries = 'vchord'")
    fi
    # No checkpoint and no autovacuum in the middle of a measurement; everything else is PostgreSQL's default.
    start_postgres "$pg" "$work/cluster" "$port" "shared_buffers = ${S3V_BENCH_SHARED_BUFFERS:-256MB}" 'max_wal_size = 16GB' \
        'checkpoint_timeout = 1h' 'autovacuum = off' "timezone = 'UTC'" "${lines[@]}"
    "$pg/lib/postgresql/$PG_MAJOR/bin/createdb" -h "$work/cluster" -p "$port" -U postgres bench
}

# start_s3 WORK PORT: a real S3 server; its place goes into the environment, as for tests.
start_s3() {
    say "starting radosgw"
    "$S3V_ROOT/tests/integration/radosgw.sh" start "$1/rgw" "$2"
    eval "$("$S3V_ROOT/tests/integration/radosgw.sh" env "$1/rgw")"
}

stop_ground() {
    local work=$1
    stop_postgres "$work/pg" "$work/cluster" immediate || true
    [ ! -d "$work/rgw" ] || "$S3V_ROOT/tests/integration/radosgw.sh" stop "$work/rgw" || true
    rm -rf "$work"
}
