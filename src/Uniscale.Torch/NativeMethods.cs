using System.Runtime.InteropServices;

namespace Uniscale.Torch;

/// <summary>The part of libuniscale_torch that works on handles of tensors, whoever made them.</summary>
internal static unsafe partial class NativeMethods
{
    private const string Library = "uniscale_torch";

    [LibraryImport(Library)]
    internal static partial byte* uniscale_error();

    [LibraryImport(Library)]
    internal static partial nint uniscale_tensor_from_blob(
        void* memory, long* sizes, long* strides, int dims, int type, delegate* unmanaged<nint, void> deleter, nint context);

    [LibraryImport(Library)]
    internal static partial void* uniscale_tensor_data(nint handle);

    [LibraryImport(Library)]
    internal static partial long uniscale_tensor_version(nint handle);

    [LibraryImport(Library)]
    internal static partial long uniscale_live_handles();

    [LibraryImport(Library)]
    internal static partial byte* uniscale_torch_configuration();

    [LibraryImport(Library)]
    internal static partial nint uniscale_operator_find(byte* name, byte* overload);

    [LibraryImport(Library)]
    internal static partial int uniscale_operator_call(nint op, Value* arguments, int count, Value* results, int capacity);

    [LibraryImport(Library)]
    internal static partial void uniscale_free_list(nint list);

    [LibraryImport(Library)]
    internal static partial int uniscale_recording_start();

    [LibraryImport(Library)]
    internal static partial long uniscale_recording_stop();

    [LibraryImport(Library)]
    internal static partial void* uniscale_recording_calls();

    /// <summary>The exception for the failure that was just reported on this thread.</summary>
    internal static ExternalException Failure() => new(Marshal.PtrToStringUTF8((nint)uniscale_error()));
}

/// <summary>An argument or result of an operator (bridge.h, Value).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Value
{
    public ValueKind Kind;
    public int Count;
    public long Payload;
}

/// <summary>Kinds of a <see cref="Value"/>, as in bridge.h.</summary>
internal enum ValueKind
{
    None = 0,
    Tensor = 1,
    Integer = 2,
    Real = 3,
    Boolean = 4,
    Integers = 5,
    Tensors = 6,
    String = 9,
    Device = 10,
}
