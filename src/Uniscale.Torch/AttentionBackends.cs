using System.Runtime.InteropServices;

namespace Uniscale.Torch;

/// <summary>
/// Which implementations scaled_dot_product_attention may choose from, for the whole process. TorchSharp switches two of the four; the rest
/// are functions of
/// libtorch's <c>at::Context</c>, called by their C++ names.
/// </summary>
public static unsafe class AttentionBackends
{
    private const string Context = "_ZN2at13globalContextEv";

    private static readonly (string Set, string Get)[] Switches =
    [
        ("_ZN2at7Context14setSDPUseFlashEb", "_ZNK2at7Context19userEnabledFlashSDPEv"),
        ("_ZN2at7Context13setSDPUseMathEb", "_ZNK2at7Context18userEnabledMathSDPEv"),
        ("_ZN2at7Context21setSDPUseMemEfficientEb", "_ZNK2at7Context26userEnabledMemEfficientSDPEv"),
        ("_ZN2at7Context14setSDPUseCuDNNEb", "_ZNK2at7Context19userEnabledCuDNNSDPEv"),
    ];

    /// <summary>
    /// Until the result is disposed only the flash kernels may be taken; attention that none of them fits throws. For checks: other threads
    /// must not
    /// compute meanwhile.
    /// </summary>
    public static IDisposable OnlyFlash() => new Restored();

    private sealed class Restored : IDisposable
    {
        private readonly nint _library = NativeLibrary.Load(Path.Combine(Libtorch.Folder, "libtorch_cpu.so"));
        private readonly void* _context;
        private readonly bool[] _before;

        public Restored()
        {
            _context = ((delegate* unmanaged<void*>)NativeLibrary.GetExport(_library, Context))();
            _before = [.. Switches.Select(name => Get(name.Get))];
            for (int i = 0; i < Switches.Length; i++)
                Set(Switches[i].Set, i == 0);
        }

        public void Dispose()
        {
            for (int i = 0; i < Switches.Length; i++)
                Set(Switches[i].Set, _before[i]);
            NativeLibrary.Free(_library);
        }

        private bool Get(string name) => (((delegate* unmanaged<void*, byte>)NativeLibrary.GetExport(_library, name))(_context) & 1) != 0;

        private void Set(string name, bool value) =>
            ((delegate* unmanaged<void*, byte, void>)NativeLibrary.GetExport(_library, name))(_context, value ? (byte)1 : (byte)0);
    }
}
