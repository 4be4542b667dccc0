using System.Runtime.InteropServices;
using System.Text;

namespace Uniscale.NcclEmulation;

/// <summary>The emulator as tests see it: its libraries, and what can be set in the one that this process has loaded.</summary>
internal static unsafe class NcclEmulator
{
    /// <summary>The newest of the emulated versions of NCCL, the one with an all-to-all.</summary>
    public const int Newest = 22807;

    private static readonly Lazy<nint> Loaded = new(() => NativeLibrary.Load(Environment.GetEnvironmentVariable("UNISCALE_NCCL_LIBRARY")!));

    /// <summary>What names the emulator to product code.</summary>
    public static IReadOnlyDictionary<string, string> Variables(int version = Newest) => new Dictionary<string, string>
    {
        ["UNISCALE_NCCL_LIBRARY"] = PathOf(version),
        ["UNISCALE_CUDART_LIBRARY"] = PathOf(version),
    };

    /// <summary>The library of one version.</summary>
    public static string PathOf(int version)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Uniscale.sln"))) directory = directory.Parent;
        return Path.Combine(directory.FullName, ".build", "native", "nccl_emulator", $"libnccl_emulator_{version}.so");
    }

    /// <summary>Makes this process use the emulator; before anything has looked for NCCL.</summary>
    public static void Use()
    {
        foreach (var (name, value) in Variables()) Environment.SetEnvironmentVariable(name, value);
    }

    /// <summary>Changes a setting until the result is disposed.</summary>
    public static IDisposable With(string setting, long value) => new Change(setting, value);

    /// <summary>Reads a setting or a counter.</summary>
    public static long Get(string setting)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(setting + '\0'))
            return ((delegate* unmanaged<byte*, long>)NativeLibrary.GetExport(Loaded.Value, "emulator_get"))(name);
    }

    /// <summary>Copies on a device's own stream, as compute would write.</summary>
    public static void Copy(nint source, nint destination, long bytes) =>
        ((delegate* unmanaged<nint, nint, nuint, int, nint, int>)NativeLibrary.GetExport(Loaded.Value, "cudaMemcpyAsync"))(destination, source, (nuint)bytes, 4, 0);

    /// <summary>Waits for a device's own stream, as a host that reads a result does.</summary>
    public static void Synchronize() => ((delegate* unmanaged<nint, int>)NativeLibrary.GetExport(Loaded.Value, "cudaStreamSynchronize"))(0);

    /// <summary>Makes a device the calling thread's.</summary>
    public static void SelectDevice(int device) => ((delegate* unmanaged<int, int>)NativeLibrary.GetExport(Loaded.Value, "cudaSetDevice"))(device);

    private static void Set(string setting, long value)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(setting + '\0'))
            ((delegate* unmanaged<byte*, long, int>)NativeLibrary.GetExport(Loaded.Value, "emulator_set"))(name, value);
    }

    private sealed class Change : IDisposable
    {
        private readonly string _setting;
        private readonly long _before;

        public Change(string setting, long value)
        {
            (_setting, _before) = (setting, Get(setting));
            Set(setting, value);
        }

        public void Dispose() => Set(_setting, _before);
    }
}
