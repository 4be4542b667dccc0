#!/usr/bin/env bash
# What: TorchSharp 0.107.0's native library asks libstdc++ for the version GLIBCXX_3.4.32 (GCC 13), which Debian 12 (GCC 12) has not, and so
# does not load there. One symbol carries this version, std::ios_base_library_init, and no relocation names it: it is asked for and would
# never be bound. The dynamic linker refuses by the list of versions alone. With that one entry marked weak in a copy, tensors work.
#
# Why it matters: the usual answer to "version GLIBCXX_3.4.32 not found" is another distribution or a foreign libstdc++, because a library is
# taken to use what it asks for. Clusters stay on a distribution for years, and TorchSharp itself tells the user of a missing package instead.
#
# What follows: a build may mark the request as weak (VER_FLG_WEAK) where the system's libstdc++ ends before it, after looking that no
# relocation names a symbol of that version, and should say so in its diagnosis.
#
# Needs Debian 12's libstdc++6, bash, binutils, dotnet (10.0), 1.5 GB below TMPDIR. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

torchsharp=0.107.0 libtorch=2.10.0 version=GLIBCXX_3.4.32
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unprepared() { echo "Could not be tried: $1"; exit 2; }
changed() { echo "Changed: $1"; exit 1; }

standard=$(ldconfig -p | sed -n 's/.*libstdc++\.so\.6 .*x86-64.* => //p' | head -n 1)
grep -qa "$version" "$standard" && unprepared "the libstdc++ of this machine has $version; Debian 12's ends at GLIBCXX_3.4.30."
cat >probe.csproj <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[$torchsharp]" />
    <PackageReference Include="libtorch-cpu-linux-x64" Version="[$libtorch]" />
  </ItemGroup>
</Project>
XML
cat >Program.cs <<'CS'
using System.Runtime.InteropServices;
using TorchSharp;
try
{
    NativeLibrary.Load(args[0]);
    using var two = torch.ones(2).sum();
    Console.WriteLine($"loads; 1 + 1 = {two.item<float>()}");
}
catch (DllNotFoundException error)
{
    Console.WriteLine("does not load: " + error.Message.Split('\n').First(line => line.Contains("GLIBCXX")).Trim());
}
CS
NUGET_PACKAGES=$folder/packages dotnet build -c Release -o out --nologo -v q -nodeReuse:false >log 2>&1 ||
    { tail log; unprepared "the program was not built."; }
library=$folder/out/runtimes/linux-x64/native/libLibTorchSharp.so
echo "TorchSharp $torchsharp, libtorch $libtorch, .NET $(dotnet --version)"
echo "$standard of libstdc++6 $(dpkg-query -W -f '${Version}' libstdc++6 2>/dev/null || echo '(not of Debian)')"

symbols=$(readelf -W --dyn-syms "$library" | sed -n "s/.* \([^ ]*\)@$version .*/\1/p" | sort -u)
names=$(readelf -rW "$library" | grep -cF "$symbols" || true)
echo "Symbols of $version: ${symbols:-none}; relocations that name them: $names"
before=$(dotnet out/probe.dll "$library")
echo "As it is in the package: $before"

# Entry of the version in the table of needed versions; its flags are two bytes, four behind its beginning; 2 is VER_FLG_WEAK.
table=$(readelf -SW "$library" | sed -n 's/.* VERNEED  *[0-9a-f]* \([0-9a-f]*\) .*/\1/p')
entry=$(readelf -VW "$library" | sed -n "s/^ *0x\([0-9a-f]*\): *Name: $version .*/\1/p")
[ -n "$entry" ] || changed "the library no longer asks for $version."
printf '\002' | dd of="$library" bs=1 seek=$((0x$table + 0x$entry + 4)) conv=notrunc status=none
after=$(dotnet out/probe.dll "$library")
echo "With $version marked weak:  $after"

echo
echo "Good guess: what a library asks for it uses, so it needs the newer libstdc++."
[ "$names" = 0 ] || changed "relocations name symbols of $version, so the library uses it."
[[ $before == "does not load"*"$version"* ]] || changed "the library loads as it is."
[ "$after" = "loads; 1 + 1 = 2" ] || changed "the library does not work with the request marked weak."
echo "Seen: nothing of $version is ever bound; one flag in the list of versions is all that keeps the library from loading."
