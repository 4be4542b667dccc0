#!/usr/bin/env bash
# The published folder and the packages, as their users have them: in an empty directory outside the repository, first without any .NET on PATH, then as a tool
# and as references of a new project. Each makes a tokenizer and shards and trains three steps. Part of CI on forges; scripts/test.sh does not need it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '== %s\n' "$*"; }

# trains NAME COMMAND...: a tokenizer, shards and three steps by a command, in an empty directory.
trains() {
    local name=$1
    shift
    mkdir -p "$work/$name/text"
    cp "$root/LICENSE" "$work/$name/text/LICENSE.txt"
    cat >"$work/$name/run.yaml" <<'YAML'
model: { layers: 2, hidden: 64, heads: 4, context: 64 }
data: { tokenizer: tokenizer.model, sources: [{ name: text, shards: [tokens/text.train] }] }
batch: { global: 4, micro: 2 }
train: { steps: 3 }
logging: { every: 1 }
run_directory: run
YAML
    (
        cd "$work/$name"
        "$@" tokenizer train text --vocabulary 512 --out tokenizer.model
        "$@" data tokenize text/LICENSE.txt --tokenizer tokenizer.model --out tokens
        "$@" train run.yaml
    ) >"$work/$name/output.txt" 2>&1 || { cat "$work/$name/output.txt"; echo "$name: failed" >&2; exit 1; }
    grep -q 'step 3/3' "$work/$name/output.txt" || { cat "$work/$name/output.txt"; echo "$name: no third step" >&2; exit 1; }
    echo "$name: $(grep 'step 3/3' "$work/$name/output.txt" | head -n 1)"
}

say "published folder, no .NET on PATH"
"$root/scripts/publish.sh" --libtorch --no-archive "$work/published" >/dev/null
mkdir "$work/path"
for tool in env bash readlink dirname grep; do ln -s "$(command -v $tool)" "$work/path/$tool"; done
trains folder env -i HOME="$work" PATH="$work/path" "$work/published/scripts/uniscale"

say "packages"
"$root/scripts/pack.sh" "$work/packages" >/dev/null
version=$(dotnet msbuild "$root/src/Uniscale.Cli" -getProperty:Version)

say "tool"
dotnet tool install uniscale --tool-path "$work/tool" --version "$version" --add-source "$work/packages" --verbosity quiet
trains tool "$work/tool/uniscale"

say "libraries, in a new project"
mkdir "$work/library"
cp "$root/examples/library-use/Program.cs" "$work/library/"
cat >"$work/library/library.csproj" <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <Nullable>enable</Nullable>
    <ImplicitUsings>enable</ImplicitUsings>
    <RestoreAdditionalProjectSources>$work/packages</RestoreAdditionalProjectSources>
    <RestorePackagesPath>$work/restored</RestorePackagesPath>
    <RestoreFallbackFolders>${NUGET_PACKAGES:-$HOME/.nuget/packages}</RestoreFallbackFolders>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Uniscale.Programs" Version="$version" />
    <PackageReference Include="Uniscale.Data" Version="$version" />
    <PackageReference Include="Uniscale.Checkpoints" Version="$version" />
    <PackageReference Include="Uniscale.Mpi" Version="$version" />
  </ItemGroup>
</Project>
XML
(cd "$work/library" && dotnet run --verbosity quiet)
