#!/usr/bin/env bash
# Makes a real bilingual corpus in six domains out of Debian packages (docs/reference/corpus.md lists them with their licences).
#
#   scripts/corpus.sh small|large [DIRECTORY]      default: data/corpus-small, data/corpus-large
#
# small: about 20 MB of text (quickstart). large: more than 300 MB. Leaves DIRECTORY/store (documents by domain),
# DIRECTORY/tokenizer.model and DIRECTORY/tokens/DOMAIN.{train,validation}.{bin,idx}. Each stage that is complete is skipped.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
size=${1:-}
case $size in
    small) vocabulary=8192 ;;
    large) vocabulary=32000 ;;
    *) echo "corpus: say which corpus: scripts/corpus.sh small|large [DIRECTORY]" >&2; exit 2 ;;
esac
target=${2:-$root/data/corpus-$size}
raw=$target/raw
workers=$(nproc)

# size  domain  package  path inside the package ('@tar PATH MEMBER…' opens a tar archive that the package carries)
sources() {
    cat <<'TABLE'
small web          apache2-doc              usr/share/doc/apache2-doc/manual/en
small web          apache2-doc              usr/share/doc/apache2-doc/manual/zh-cn
small web          libreoffice-help-zh-cn   usr/share/libreoffice/help/zh-CN/text/swriter
small web          debian-faq               usr/share/doc/debian/FAQ
small web          debian-faq-zh-cn         usr/share/doc/debian/FAQ
small encyclopedia dict-foldoc              usr/share/dictd/foldoc.dict.dz
small encyclopedia dict-jargon              usr/share/dictd/jargon.dict.dz
small books        debian-handbook          usr/share/doc/debian-handbook/html/en-US
small books        debian-handbook          usr/share/doc/debian-handbook/html/zh-CN
small papers       manpages-dev             usr/share/man/man3
small papers       manpages-zh              usr/share/man/zh_CN
small code         libpython3.11-stdlib     usr/lib/python3.11
small others       fortunes                 usr/share/games/fortunes
small others       fortunes-zh              usr/share/games/fortunes
large web          libreoffice-help-en-us   usr/share/libreoffice/help/en-US
large web          libreoffice-help-zh-cn   usr/share/libreoffice/help/zh-CN
large web          gimp-help-zh-cn          usr/share/gimp/2.0/help/zh_CN
large web          gimp-help-en             usr/share/gimp/2.0/help/en
large web          python3.11-doc           usr/share/doc/python3.11/html
large web          gnome-user-docs          usr/share/help
large encyclopedia dict-gcide               usr/share/dictd/gcide.dict.dz
large encyclopedia dict-wn                  usr/share/dictd/wn.dict.dz
large books        debian-reference-en      usr/share/debian-reference
large books        debian-reference-zh-cn   usr/share/debian-reference
large books        anarchism                usr/share/doc/anarchism/html
large books        developers-reference     usr/share/developers-reference
large papers       linux-doc-6.1            usr/share/doc/linux-doc-6.1
large papers       postgresql-doc-15        usr/share/doc/postgresql-doc-15/html
large papers       r-doc-html               usr/share/R/doc/manual
large papers       libstdc++-12-doc         usr/share/doc/gcc-12-base/libstdc++/user
large code         perl-modules-5.36        usr/share/perl
large code         linux-source-6.1         @tar usr/src/linux-source-6.1.tar.xz kernel mm fs net lib crypto block sound drivers/net drivers/media include
large others       perl-doc                 usr/share/perl
TABLE
}

# The large corpus contains the small one.
wanted() { sources | awk -v size="$size" 'NF && (size == "large" || $1 == "small")'; }

download() {
    mkdir -p "$target/packages"
    local missing=() package
    for package in $(wanted | awk '{ print $3 }' | sort -u); do
        compgen -G "$target/packages/${package}_*.deb" >/dev/null || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    echo "corpus: downloading ${missing[*]}" >&2
    (cd "$target/packages" && apt-get download -qq "${missing[@]}" 2> >(grep -v '^W:' >&2)) || {
        echo "corpus: the packages above could not be downloaded; run 'apt-get update' and try again" >&2
        exit 1
    }
}

# One JSON line a document: dictionary entries begin at the margin after an empty or an indented line, fortunes end with a line '%'.
records_to_jsonl() {
    awk -v kind="$1" '
        function flush() { if (length(text) > 40) printf "{\"text\":\"%s\"}\n", text; text = "" }
        { gsub(/\r/, ""); gsub(/\033\[[0-9;]*m/, ""); plain = $0 }
        { gsub(/\\/, "&&"); gsub(/"/, "\\\\&"); gsub(/\t/, "\\t"); gsub(/[\001-\037]/, "") }
        kind == "fortune" && plain == "%" { flush(); next }
        kind == "dictionary" && inside && plain ~ /^[^ \t]/ { flush() }
        { text = text $0 "\\n"; inside = (plain == "" || plain ~ /^[ \t]/) }
        END { flush() }'
}

copy_source() {
    local domain=$1 package=$2 path=$3; shift 3
    local tree=$target/unpacked/$package destination=$raw/$domain/$package
    if [[ ! -d $tree ]]; then
        mkdir -p "$tree"
        dpkg -x "$target/packages/${package}"_*.deb "$tree"
    fi
    mkdir -p "$destination"
    if [[ $path == @tar ]]; then
        local archive=$1; shift
        tar -C "$destination" --strip-components=1 -xJf "$tree/$archive" "${@/#/linux-source-6.1/}"
    elif [[ $path == *.dict.dz ]]; then
        # Three lines of GCIDE have a character in another encoding, which goes; iconv then ends with 1.
        gzip -dc <"$tree/$path" | { iconv -c -f UTF-8 -t UTF-8 || true; } | records_to_jsonl dictionary >"$destination/$(basename "$path" .dict.dz).jsonl"
    elif [[ $path == */fortunes ]]; then
        local file
        find "$tree/$path" -type f ! -name '*.dat' ! -name '*.u8' | sort | while read -r file; do
            records_to_jsonl fortune <"$file"
        done >"$destination/fortunes.jsonl"
    else
        mkdir -p "$destination/$path"
        cp -a "$tree/$path/." "$destination/$path/"
    fi
}

unpack() {
    [[ -e $raw/.complete ]] && return 0
    echo "corpus: unpacking" >&2
    rm -rf "$raw" "$target/unpacked"
    local size_ domain package rest
    while read -r size_ domain package rest; do
        # shellcheck disable=SC2086
        copy_source "$domain" "$package" $rest
    done < <(wanted)
    rm -rf "$target/unpacked"
    touch "$raw/.complete"
}

import() {
    [[ -e $target/store/.complete ]] && return 0
    rm -rf "$target/store"
    local domain
    for domain in web encyclopedia books papers code others; do
        "$root/scripts/uniscale" data import "$raw/$domain" --domain "$domain" --out "$target/store"
    done
    touch "$target/store/.complete"
}

tokenize() {
    [[ -e $target/tokens/.complete ]] && return 0
    if [[ ! -e $target/tokenizer.model ]]; then
        "$root/scripts/uniscale" tokenizer train "$target/store" --vocabulary "$vocabulary" --out "$target/tokenizer.model"
    fi
    "$root/scripts/uniscale" data tokenize "$target/store" --tokenizer "$target/tokenizer.model" --out "$target/tokens" \
        --validation 0.02 --workers "$workers"
    touch "$target/tokens/.complete"
}

mkdir -p "$target"
download
unpack
import
tokenize
echo "corpus: $target holds the documents (store), tokenizer.model and the shards (tokens)"
