#!/usr/bin/env bash
# Compiles the whole program against the real TorchSharp in place of src/TorchSharp, for places where its packages cannot be restored:
# the managed assembly is built from a checkout of TorchSharp's repository and put into a package feed of our own.
#
#   git clone -b v0.107.0 https://github.com/dotnet/TorchSharp && scripts/check-torchsharp.sh TorchSharp
#
# Shows that no source changes are needed. Runs nothing: TorchSharp's native library is not built. Not part of CI.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[[ -f ${1:-}/src/TorchSharp/TorchSharp.csproj ]] || { echo "usage: check-torchsharp.sh TORCHSHARP_CHECKOUT" >&2; exit 2; }
checkout=$(cd "$1" && pwd)
version=0.107.0
work=$root/.build/torchsharp
rm -rf "$work"
mkdir -p "$work/TorchSharp" "$work/TorchSharp-cpu"

# A package of the given name: its own project file, so that the checkout's native build stays out of it.
pack() {
    local name=$1 items=$2
    cat >"$work/$name/$name.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
    <LangVersion>9.0</LangVersion>
    <AllowUnsafeBlocks>true</AllowUnsafeBlocks>
    <Version>$version</Version>
    <NuGetAudit>false</NuGetAudit>
    <TreatWarningsAsErrors>false</TreatWarningsAsErrors>
    <WarningLevel>0</WarningLevel>
    <DefineConstants>\$(DefineConstants);LIBTORCH_2_7_1_0;CUDA_12_8</DefineConstants>
    <ManagePackageVersionsCentrally>false</ManagePackageVersionsCentrally>
  </PropertyGroup>
  <ItemGroup>$items</ItemGroup>
</Project>
PROJECT
    dotnet pack "$work/$name" -c Release -v quiet -o "$work/feed"
}

# Nothing of this repository's build settings applies to the packages.
for file in Directory.Build.props Directory.Build.targets Directory.Packages.props; do echo '<Project />' >"$work/$file"; done
pack TorchSharp "
    <Compile Include=\"$checkout/src/TorchSharp/**/*.cs\" Exclude=\"$checkout/src/TorchSharp/netstandard.cs;$checkout/src/TorchSharp/TorchVision/**;$checkout/src/TorchSharp/obj/**\" />
    <PackageReference Include=\"Google.Protobuf\" Version=\"3.21.9\" />
    <PackageReference Include=\"SharpZipLib\" Version=\"1.4.1\" />
    <PackageReference Include=\"SkiaSharp\" Version=\"2.88.9\" />"
echo 'namespace Uniscale.Check { }' >"$work/TorchSharp-cpu/Empty.cs"
pack TorchSharp-cpu ""

# A copy of the committed sources, so that the build here keeps its own references.
git -C "$root" archive HEAD | tar x -C "$work" --overwrite
dotnet build "$work/src/Uniscale.Cli" -c Release \
    -p:TorchSharpPackage=$version -p:RestoreAdditionalProjectSources="$work/feed" \
    -p:RestorePackagesPath="$work/packages" -p:RestoreFallbackFolders="${NUGET_PACKAGES:-$HOME/.nuget/packages}"
echo "compiles against TorchSharp $version"
