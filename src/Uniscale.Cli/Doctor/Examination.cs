using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Uniscale.Torch;

namespace Uniscale.Cli.Doctor;

/// <summary>Looks for everything that training needs on this machine. Nothing is changed.</summary>
internal static class Examination
{
    private const double GiB = 1L << 30;

    /// <summary>All findings, for the libraries given.</summary>
    public static IReadOnlyList<Finding> Run(Libraries libraries) =>
    [
        new Finding(".NET", true, true, $"{Environment.Version} on {RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}"),
        Processor(),
        Memory(),
        Disk(),
        StandardLibrary(libraries, AppContext.BaseDirectory),
        Tensors(Libtorch.Folder),
        Library(libraries, "oneDNN", "fast bf16 products", "libdnnl-dev", required: false, "libdnnl.so"),
        Library(libraries, "SentencePiece", "tokenizers", "libsentencepiece-dev", required: true, "libsentencepiece.so"),
        Mpi(libraries, Environment.GetEnvironmentVariable("UNISCALE_MPI_LIBRARY")),
        Devices.Libtorch(),
        Devices.Nccl(),
        Bridge(),
    ];

    private static Finding Processor()
    {
        var flags = CpuFlags();
        string[] wanted = ["avx2", "fma", "avx512f", "avx512_bf16", "avx_vnni", "amx_tile", "amx_bf16"];
        var present = wanted.Where(flags.Contains).ToArray();
        var details = $"{Environment.ProcessorCount} processors, {CpuModel()}; {string.Join(' ', present)}";
        return Avx2.IsSupported || RuntimeInformation.OSArchitecture != Architecture.X64
            ? new Finding("processor", true, true, details)
            : new Finding("processor", false, true, details, "Uniscale's kernels need AVX2; use a machine with it.");
    }

    private static Finding Memory()
    {
        var total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / GiB;
        var details = string.Create(CultureInfo.InvariantCulture, $"{total:F1} GiB for this process");
        return total >= 3
            ? new Finding("memory", true, true, details)
            : new Finding("memory", false, true, details, "configs/quickstart.yaml needs about 3 GiB; train something smaller, or raise the container's limit.");
    }

    private static Finding Disk()
    {
        var here = Directory.GetCurrentDirectory();
        var free = new DriveInfo(here).AvailableFreeSpace / GiB;
        var details = string.Create(CultureInfo.InvariantCulture, $"{free:F1} GiB free at {here}");
        return free >= 2
            ? new Finding("disk", true, true, details)
            : new Finding("disk", false, true, details, "Corpus, checkpoints and logs of the quickstart need about 2 GiB; free some space, or run elsewhere.");
    }

    /// <summary>
    /// libstdc++, which TorchSharp's library is loaded with or not at all; its own message for that speaks of packages. What the build did about
    /// it stands in a note beside the library.
    /// </summary>
    internal static Finding StandardLibrary(Libraries libraries, string folder)
    {
        const string Name = "libstdc++", Wanted = "GLIBCXX_3.4.32";
        string note = Path.Combine(folder, "libLibTorchSharp.txt");
        string done = File.Exists(note) ? File.ReadAllText(note).Trim() : "";
        if (libraries.Find("libstdc++.so.6") is not { } path) return new Finding(Name, false, true, "C++ at run time", "apt-get install libstdc++6");
        var newest = Libraries.Versions(path, "GLIBCXX_").Max();
        bool enough = done.Contains("made weak", StringComparison.Ordinal) || newest >= new Version(Wanted["GLIBCXX_".Length..]);
        string details = $"GLIBCXX_{newest}, {path}";
        return enough
            ? new Finding(Name, true, true, done.Length == 0 ? details : $"{details}; libLibTorchSharp.so: {done}")
            : new Finding(Name, false, true, $"{details}, but libLibTorchSharp.so here wants {Wanted}", "build on this machine (dotnet build), which makes that request weak");
    }

    /// <summary>TorchSharp and libtorch beside this program, or where UNISCALE_LIBTORCH says.</summary>
    internal static Finding Tensors(string folder)
    {
        string library = Path.Combine(folder, "libtorch_cpu.so");
        var version = typeof(TorchSharp.torch).Assembly.GetName().Version!;
        if (!File.Exists(library))
            return new Finding("libtorch", false, true, $"tensors and gradients; no libtorch_cpu.so in {folder}", $"dotnet build (without TorchSharpBackend=none), or name a folder by {Libtorch.FolderVariable}");
        if (Libtorch.Load() is { } problem) return new Finding("libtorch", false, true, "tensors and gradients", problem);
        string cuda = Libtorch.HasCuda(folder) ? ", with CUDA" : "";
        return new Finding("libtorch", true, true, $"{Libraries.PackageVersion(library) ?? TorchSharp.torch.__version__}{cuda}, TorchSharp {version.ToString(3)}, {library}");
    }

    private static Finding Library(Libraries libraries, string name, string purpose, string package, bool required, params string[] files) =>
        libraries.Find(files) is { } path
            ? new Finding(name, true, required, $"{Libraries.Version(path) ?? "version unknown"}, {path}")
            : new Finding(name, false, required, purpose, $"apt-get install {package}");

    /// <summary>MPI: the library that the user names, if he does, and the launcher.</summary>
    internal static Finding Mpi(Libraries libraries, string? named)
    {
        if (named is { Length: > 0 } && !IsMpi(named))
            return new Finding("MPI", false, false, $"UNISCALE_MPI_LIBRARY is {named}, which is no MPI library", "unset it, or name the file of libmpi or libmpich");
        string? path = named is { Length: > 0 } ? named : libraries.Find("libmpi.so", "libmpich.so");
        var version = Libraries.RunAndRead("mpirun", "--version").Split('\n')[0].Trim();
        return (path, version) switch
        {
            (not null, { Length: > 0 }) => new Finding("MPI", true, false, $"{version}, {path}"),
            (not null, _) => new Finding("MPI", false, false, $"{path}, but no mpirun", "apt-get install openmpi-bin"),
            _ => new Finding("MPI", false, false, "ranks as processes (uniscale launch)", "apt-get install openmpi-bin libopenmpi-dev"),
        };
    }

    private static bool IsMpi(string path)
    {
        if (!NativeLibrary.TryLoad(path, out nint handle)) return false;
        bool hasIt = NativeLibrary.TryGetExport(handle, "MPI_Init_thread", out _);
        NativeLibrary.Free(handle);
        return hasIt;
    }

    /// <summary>The native bridges lie beside this program; loading them shows whether they fit the libraries of this machine.</summary>
    private static Finding Bridge()
    {
        var bridges = Directory.GetFiles(AppContext.BaseDirectory, "libuniscale*.so", SearchOption.AllDirectories);
        var broken = bridges.Where(bridge => !NativeLibrary.TryLoad(bridge, out _)).ToArray();
        return (bridges.Length, broken.Length) switch
        {
            (0, _) => new Finding("native bridge", false, true, $"no libuniscale*.so in {AppContext.BaseDirectory}", "dotnet build Uniscale.sln (after scripts/setup.sh)"),
            (_, > 0) => new Finding("native bridge", false, true, $"{broken[0]} does not load (built against other libraries?)", "scripts/setup.sh, then build again"),
            _ => new Finding("native bridge", true, true, string.Join(", ", bridges.Select(Path.GetFileName).Order(StringComparer.Ordinal))),
        };
    }

    private static HashSet<string> CpuFlags() => [.. CpuLine("flags").Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    private static string CpuModel() => CpuLine("model name") is { Length: > 0 } model ? model : "unknown model";

    private static string CpuLine(string key)
    {
        const string Source = "/proc/cpuinfo";
        if (!File.Exists(Source))
            return "";
        var line = File.ReadLines(Source).FirstOrDefault(candidate => candidate.StartsWith(key, StringComparison.Ordinal));
        return line?.Split(':', 2)[^1].Trim() ?? "";
    }
}
