using System.Runtime.InteropServices;

namespace Uniscale.Torch;

/// <summary>One call of an operator of libtorch.</summary>
/// <param name="Name">Its schema name, e.g. <c>aten::add_</c>.</param>
/// <param name="Start">Ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
/// <param name="End">The same.</param>
/// <param name="Depth">Operators that it runs within; 0: none.</param>
public readonly record struct OperatorCall(string Name, long Start, long End, int Depth);

/// <summary>
/// What libtorch computes on the calling thread, autograd's part included, which no caller in C# sees. Costs some tenths of a microsecond a
/// call while it runs and nothing else.
/// </summary>
public static unsafe class OperatorRecording
{
    /// <summary>Begins; one recording a thread.</summary>
    public static void Start()
    {
        if (NativeMethods.uniscale_recording_start() < 0) throw NativeMethods.Failure();
    }

    /// <summary>Ends and returns the calls since <see cref="Start"/>, in the order in which they began.</summary>
    public static IReadOnlyList<OperatorCall> Stop()
    {
        long count = NativeMethods.uniscale_recording_stop();
        if (count < 0) throw NativeMethods.Failure();
        var names = new Dictionary<nint, string>();
        var calls = new ReadOnlySpan<Native>(NativeMethods.uniscale_recording_calls(), (int)count);
        var result = new OperatorCall[calls.Length];
        for (int i = 0; i < calls.Length; i++)
        {
            ref readonly var call = ref calls[i];
            if (!names.TryGetValue(call.Name, out string? name)) names[call.Name] = name = Marshal.PtrToStringUTF8(call.Name)!;
            result[i] = new OperatorCall(name, call.Begin, call.End, (int)call.Depth);
        }
        return result;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Native
    {
        public readonly nint Name;
        public readonly long Begin;
        public readonly long End;
        public readonly long Depth;
    }
}
