using System.Globalization;
using System.Runtime.InteropServices;
using Uniscale.Configuration;
using Uniscale.Kernels.Cpu;
using Uniscale.Launching.Processes;
using Uniscale.Mpi;
using Uniscale.Telemetry;
using Uniscale.Torch;

namespace Uniscale.Cli.Doctor;

/// <summary>Looks for everything that training needs on this machine. Nothing is changed.</summary>
internal static class Examination
{
    private const double GiB = 1L << 30;

    /// <summary>All findings, for the libraries given.</summary>
    public static IReadOnlyList<Finding> Run(Libraries libraries) =>
        [
            new Finding(
                ".NET",
                true,
                true,
                $"{Environment.Version} on {RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}"
            ),
            Processor(),
            Precisions(),
            Memory(),
            Disk(),
            OpenFiles(
                File.Exists("/proc/self/limits") ? File.ReadLines("/proc/self/limits") : [],
                ReadNumber("/proc/sys/vm/max_map_count")
            ),
            StandardLibrary(libraries, AppContext.BaseDirectory),
            Tensors(Libtorch.Folder),
            Library(libraries, "OpenSSL", "digests and encrypted connections, by .NET", "libssl3", required: true, "libssl.so"),
            Library(libraries, "oneDNN", "fast bf16 GEMM", "libdnnl-dev", required: false, "libdnnl.so"),
            Library(libraries, "SentencePiece", "tokenizers", "libsentencepiece-dev", required: true, "libsentencepiece.so"),
            Mpi(mpirun: null, Environment.GetEnvironmentVariable(MpiRuntime.LibraryVariable)),
            Devices.Libtorch(),
            Devices.Nccl(),
            Bridge(),
        ];

    private static Finding Processor()
    {
        var flags = CpuFlags();
        string[] wanted = ["avx2", "fma", "avx512f", "avx512_bf16", "avx_vnni", "amx_tile", "amx_bf16"];
        string[] present = wanted.Where(flags.Contains).ToArray();
        string details = $"{Environment.ProcessorCount} processors, {CpuModel()}; {string.Join(' ', present)}";
        return ProcessorSupport.Refusal() is { } refusal
            ? new Finding("processor", false, true, details, refusal)
            : new Finding("processor", true, true, details);
    }

    /// <summary>
    /// Which precisions the processor multiplies itself, and how fast bf16 is beside fp32: measured now, in a part of a second.
    /// </summary>
    private static Finding Precisions()
    {
        if (ProcessorSupport.Refusal() is not null || !CpuKernels.IsSupported)
            return new Finding("precisions", false, false, "not measured", "They are measured where the kernels run.");
        double share = ProcessorSupport.ShareOfFloat32(TimeSpan.FromSeconds(0.5));
        string level = ProcessorSupport.NameOf(CpuKernels.InstructionSet);
        return new Finding(
            "precisions",
            true,
            false,
            string.Create(
                CultureInfo.InvariantCulture,
                $"kernels for {level}; fp32 native, bf16 {(ProcessorSupport.IsNative(KernelType.BFloat16) ? "native" : "emulated (widened to fp32)")} at {share:P0} of fp32's speed"
            )
        );
    }

    private static Finding Memory()
    {
        double total = HostMemory.Limit().Bytes / GiB;
        string details = string.Create(CultureInfo.InvariantCulture, $"{total:F1} GiB for this process");
        if (AddressSpace.LimitBytes() is < AddressSpace.EnoughBytes and var limit)
            return new Finding(
                "memory",
                false,
                true,
                string.Create(CultureInfo.InvariantCulture, $"{details}, address space limited to {limit / GiB:F1} GiB"),
                "Lift the limit (ulimit -v unlimited); bound memory by a container instead."
            );
        return total >= 3
            ? new Finding("memory", true, true, details)
            : new Finding(
                "memory",
                false,
                true,
                details,
                "configs/quickstart.yaml needs about 3 GiB; train something smaller, or raise the container's limit."
            );
    }

    private static Finding Disk()
    {
        string here = Directory.GetCurrentDirectory();
        double free = new DriveInfo(here).AvailableFreeSpace / GiB;
        string details = string.Create(CultureInfo.InvariantCulture, $"{free:F1} GiB free at {here}");
        return free >= 2
            ? new Finding("disk", true, true, details)
            : new Finding(
                "disk",
                false,
                true,
                details,
                "Corpus, checkpoints and logs of the quickstart need about 2 GiB; free some space, or run elsewhere."
            );
    }

    /// <summary>A shard takes two mappings and no descriptor; sockets, logs and checkpoints take descriptors.</summary>
    internal static Finding OpenFiles(IEnumerable<string> limits, long mappings)
    {
        const int Enough = 1024;
        string? line = limits.FirstOrDefault(line => line.StartsWith("Max open files", StringComparison.Ordinal));
        string soft = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries).ElementAtOrDefault(3) ?? "unlimited";
        string details = $"{soft} descriptors; {mappings} mappings, room for {mappings / 2} shards";
        return !long.TryParse(soft, CultureInfo.InvariantCulture, out long most) || most >= Enough
            ? new Finding("open files", true, false, details)
            : new Finding("open files", false, false, details, $"ulimit -n {Enough} or more, before training with several ranks");
    }

    private static long ReadNumber(string path) =>
        File.Exists(path) && long.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out long number) ? number : 65_530;

    /// <summary>
    /// libstdc++, which TorchSharp's library is loaded with or not at all; its own message for that speaks of packages. What the build did
    /// about
    /// it stands in a note beside the library.
    /// </summary>
    internal static Finding StandardLibrary(Libraries libraries, string folder)
    {
        const string Name = "libstdc++",
            Wanted = "GLIBCXX_3.4.32";
        string note = Path.Combine(folder, "libLibTorchSharp.txt");
        string done = File.Exists(note) ? File.ReadAllText(note).Trim() : "";
        if (libraries.Find("libstdc++.so.6") is not { } path)
            return new Finding(Name, false, true, "C++ at run time", "apt-get install libstdc++6");
        var newest = Libraries.Versions(path, "GLIBCXX_").Max();
        bool enough = done.Contains("made weak", StringComparison.Ordinal) || newest >= new Version(Wanted["GLIBCXX_".Length..]);
        string details = $"GLIBCXX_{newest}, {path}";
        return enough
            ? new Finding(Name, true, true, done.Length == 0 ? details : $"{details}; libLibTorchSharp.so: {done}")
            : new Finding(
                Name,
                false,
                true,
                $"{details}, but libLibTorchSharp.so here wants {Wanted}",
                "build on this machine (dotnet build), which makes that request weak"
            );
    }

    /// <summary>TorchSharp and libtorch beside this program, or where UNISCALE_LIBTORCH says.</summary>
    internal static Finding Tensors(string folder)
    {
        string library = Path.Combine(folder, "libtorch_cpu.so");
        var version = typeof(TorchSharp.torch).Assembly.GetName().Version!;
        if (!File.Exists(library))
            return new Finding(
                "libtorch",
                false,
                true,
                $"tensors and gradients; no libtorch_cpu.so in {folder}",
                $"dotnet build (without TorchSharpBackend=none), or name a folder by {Libtorch.FolderVariable}"
            );
        if (Libtorch.Load() is { } problem)
            return new Finding("libtorch", false, true, "tensors and gradients", problem);
        string made = TorchSharp.torch.__version__,
            cuda = Libtorch.HasCuda(folder) ? ", with CUDA" : "";
        string? release = Libraries.LibtorchVersion(library) ?? (folder == AppContext.BaseDirectory ? made : null);
        string fits =
            release is null || IsSameRelease(release, made)
                ? ""
                : $", not the {made} that TorchSharp's library was made for (docs/reference/tensors.md)";
        return new Finding(
            "libtorch",
            true,
            true,
            $"{release ?? "of an unknown release"}{cuda}, TorchSharp {version.ToString(3)}, {library}{fits}"
        );
    }

    private static bool IsSameRelease(string one, string other) => one.Split('.').Take(2).SequenceEqual(other.Split('.').Take(2));

    private static Finding Library(
        Libraries libraries,
        string name,
        string purpose,
        string package,
        bool required,
        params string[] files
    ) =>
        libraries.Find(files) is { } path
            ? new Finding(name, true, required, $"{Libraries.Version(path) ?? "version unknown"}, {path}")
            : new Finding(name, false, required, purpose, $"apt-get install {package}");

    /// <summary>MPI: the launcher, and the library that its ranks will find.</summary>
    /// <param name="mpirun">The mpirun to use; null: what <c>uniscale launch</c> uses.</param>
    /// <param name="library">The library that the user names; null: none.</param>
    internal static Finding Mpi(string? mpirun, string? library)
    {
        try
        {
            var launcher = Mpirun.Find(mpirun);
            return new Finding(
                "MPI",
                true,
                false,
                $"{MpiRuntime.DescribeUnder(launcher.IsOpenMpi, library)}; started by {launcher.Command} ({launcher.Version})"
            );
        }
        catch (UserErrorException missing)
        {
            return new Finding("MPI", false, false, $"ranks as processes (uniscale launch): {missing.Message}", "apt-get install mpich");
        }
        catch (MpiException missing)
        {
            return new Finding(
                "MPI",
                false,
                false,
                $"ranks as processes (uniscale launch): {missing.Message}",
                "apt-get install mpich; or unset UNISCALE_MPI_LIBRARY, or name MPI's file in it"
            );
        }
    }

    /// <summary>The native bridges lie beside this program; loading them shows whether they fit the libraries of this machine.</summary>
    private static Finding Bridge()
    {
        string[] bridges = Directory.GetFiles(AppContext.BaseDirectory, "libuniscale*.so", SearchOption.AllDirectories);
        string[] broken = bridges.Where(bridge => !NativeLibrary.TryLoad(bridge, out _)).ToArray();
        return (bridges.Length, broken.Length) switch
        {
            (0, _) => new Finding(
                "native bridge",
                false,
                true,
                $"no libuniscale*.so in {AppContext.BaseDirectory}",
                "dotnet build Uniscale.sln (after scripts/setup.sh)"
            ),
            (_, > 0) => new Finding(
                "native bridge",
                false,
                true,
                $"{broken[0]} does not load (built against other libraries?)",
                "scripts/setup.sh, then build again"
            ),
            _ => new Finding(
                "native bridge",
                true,
                true,
                string.Join(", ", bridges.Select(Path.GetFileName).Order(StringComparer.Ordinal))
            ),
        };
    }

    private static HashSet<string> CpuFlags() => [.. CpuLine("flags").Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    private static string CpuModel() => CpuLine("model name") is { Length: > 0 } model ? model : "unknown model";

    private static string CpuLine(string key)
    {
        const string Source = "/proc/cpuinfo";
        if (!File.Exists(Source))
            return "";
        string? line = File.ReadLines(Source).FirstOrDefault(candidate => candidate.StartsWith(key, StringComparison.Ordinal));
        return line?.Split(':', 2)[^1].Trim() ?? "";
    }
}
