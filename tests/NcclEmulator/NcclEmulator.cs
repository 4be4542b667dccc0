using System.Runtime.InteropServices;
using System.Text;

namespace Uniscale.NcclEmulation;

/// <summary>The emulator that this process has loaded: what can be set in it, and compute on its streams.</summary>
internal static unsafe class NcclEmulator
{
    private static readonly Lazy<nint> Loaded = new(() => NativeLibrary.Load(Environment.GetEnvironmentVariable("UNISCALE_NCCL_LIBRARY")!));

    /// <summary>Makes this process use the emulator; before anything has looked for NCCL.</summary>
    public static void Use()
    {
        foreach (var (name, value) in EmulatorLibraries.Variables())
            Environment.SetEnvironmentVariable(name, value);
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
        ((delegate* unmanaged<nint, nint, nuint, int, nint, int>)NativeLibrary.GetExport(Loaded.Value, "cudaMemcpyAsync"))(
            destination,
            source,
            (nuint)bytes,
            4,
            0
        );

    /// <summary>Waits for a device's own stream, as a host that reads a result does.</summary>
    public static void Synchronize() => ((delegate* unmanaged<nint, int>)NativeLibrary.GetExport(Loaded.Value, "cudaStreamSynchronize"))(0);

    /// <summary>Makes a device the calling thread's.</summary>
    public static void SelectDevice(int device) =>
        ((delegate* unmanaged<int, int>)NativeLibrary.GetExport(Loaded.Value, "cudaSetDevice"))(device);

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
