#!/usr/bin/env bash
# What: an operation in place of TorchSharp 0.107.0 does not return the tensor that it was called on, as in Python, but a new object with a
# handle of its own on the same memory. `using var t = torch.empty(n).zero_()` disposes the second handle; the first is nobody's, and holds
# the memory until the garbage collector finds it. The collector sees a small object and no megabytes, so it does not come: 40 such tensors
# of 32 MiB, one after the other, leave 1.3 GiB resident, and the same line with the two calls apart leaves one.
#
# Why it matters: the chain is how the line reads in Python and in every example (`empty(n).normal_()`, `zeros(n).requires_grad_()`). A loop
# over it runs out of memory with nothing alive, and a buffer that is made once keeps its memory for as long as no collection comes.
#
# What follows: an operation in place stands in a statement of its own and its answer is disposed, or a dispose scope is around both.
#
# Needs bash, binutils, dotnet (10.0), 1.5 GB below TMPDIR. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

torchsharp=0.107.0 libtorch=2.10.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >probe.csproj <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><AllowUnsafeBlocks>true</AllowUnsafeBlocks></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[$torchsharp]" />
    <PackageReference Include="libtorch-cpu-linux-x64" Version="[$libtorch]" />
  </ItemGroup>
</Project>
XML
cat >Program.cs <<'CS'
using TorchSharp;

const long Elements = 8 << 20, Times = 40;
using (var tensor = torch.empty(Elements))
using (var answer = tensor.zero_())
    Console.WriteLine($"same object: {ReferenceEquals(tensor, answer)}; same memory: {Address(tensor) == Address(answer)}");
Show("chained", () => { using var tensor = torch.empty(Elements).zero_(); });
Show("apart  ", () => { using var tensor = torch.empty(Elements); tensor.zero_().Dispose(); });

static void Show(string how, Action make)
{
    GC.Collect();
    GC.WaitForPendingFinalizers();
    long before = Resident();
    for (int i = 0; i < Times; i++)
        make();
    Console.WriteLine($"{how}: {Math.Round((Resident() - before) / (Elements * 4.0))} tensors' memory left of {Times}");
}

static long Resident() => long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1]) * Environment.SystemPageSize;
static nint Address(torch.Tensor tensor)
{
    unsafe { fixed (byte* first = &System.Runtime.InteropServices.MemoryMarshal.GetReference(tensor.bytes)) return (nint)first; }
}
CS
NUGET_PACKAGES=$folder/packages dotnet build -c Release -o out --nologo -v q -nodeReuse:false >log 2>&1 ||
    { tail log; echo "Could not be tried: the program was not built."; exit 2; }
# Without this the library does not load on Debian 12: torchsharp-unbound-symbol-version.sh says why.
library=out/runtimes/linux-x64/native/libLibTorchSharp.so
table=$(readelf -SW $library | sed -n 's/.* VERNEED  *[0-9a-f]* \([0-9a-f]*\) .*/\1/p')
entry=$(readelf -VW $library | sed -n 's/^ *0x\([0-9a-f]*\): *Name: GLIBCXX_3.4.32 .*/\1/p')
printf '\002' | dd of=$library bs=1 seek=$((0x$table + 0x$entry + 4)) conv=notrunc status=none

echo "TorchSharp $torchsharp, libtorch $libtorch, .NET $(dotnet --version)"
echo "40 tensors of 32 MiB, each made, cleared in place and disposed before the next:"
dotnet out/probe.dll | tee seen
echo
echo "Good guess: t.zero_() is t, as in Python, and \`using\` gives the memory back: none is left in either form."
expected="same object: False; same memory: True
chained: 40 tensors' memory left of 40
apart  : 0 tensors' memory left of 40"
if [ "$(cat seen)" = "$expected" ]; then
    echo "Seen: the chained form leaves the memory of every tensor to the garbage collector, which does not come."
    exit 0
fi
echo "Changed: operations in place return something else, or the memory goes back sooner."
exit 1
