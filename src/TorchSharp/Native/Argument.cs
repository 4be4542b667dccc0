using System.Runtime.InteropServices;
using System.Text;

namespace TorchSharp.Native;

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
    OptionalTensors = 7,
    Reals = 8,
    String = 9,
    Device = 10,
    Generator = 11,
}

/// <summary>An argument or result as the native library sees it (bridge.h, Value).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Value
{
    public ValueKind Kind;
    public int Count;
    public long Payload;

    public readonly double Real => BitConverter.Int64BitsToDouble(Payload);
}

/// <summary>
/// An argument of an operator. Made by conversion from what the C# caller has; keeps the object that owns native memory
/// alive until the call is over.
/// </summary>
internal readonly struct Argument
{
    private readonly ValueKind _kind;
    private readonly int _count;
    private readonly long _payload;

    private Argument(ValueKind kind, object? owner, long payload, int count = 0)
    {
        _kind = kind;
        _count = count;
        Owner = owner;
        _payload = payload;
    }

    /// <summary>The managed object behind the argument, if any.</summary>
    internal object? Owner { get; }

    public static implicit operator Argument(torch.Tensor? value) =>
        value is null ? default : new(ValueKind.Tensor, value, value.Handle);

    public static implicit operator Argument(long value) => new(ValueKind.Integer, null, value);

    public static implicit operator Argument(long? value) => value is { } set ? set : default(Argument);

    public static implicit operator Argument(double value) => new(ValueKind.Real, null, BitConverter.DoubleToInt64Bits(value));

    public static implicit operator Argument(double? value) => value is { } set ? set : default(Argument);

    public static implicit operator Argument(bool value) => new(ValueKind.Boolean, null, value ? 1 : 0);

    public static implicit operator Argument(bool? value) => value is { } set ? set : default(Argument);

    public static implicit operator Argument(Scalar? value) =>
        value is null ? default : new(value.Kind, null, value.Payload);

    public static implicit operator Argument(torch.ScalarType value) => new(ValueKind.Integer, null, (long)value);

    public static implicit operator Argument(torch.ScalarType? value) => value is { } set ? set : default(Argument);

    public static implicit operator Argument(torch.Device? value) =>
        value is null ? default : new(ValueKind.Device, null, (uint)value.type | ((long)value.index << 32));

    public static implicit operator Argument(torch.Generator? value) =>
        value is null ? default : new(ValueKind.Generator, value, value.Handle);

    public static implicit operator Argument(long[]? value) => value is null ? default : new(ValueKind.Integers, value, 0);

    public static implicit operator Argument(torch.Tensor?[]? value) =>
        value is null ? default : new(ValueKind.Tensors, value, 0);

    public static implicit operator Argument(string? value) =>
        value is null ? default : new(ValueKind.String, Encoding.UTF8.GetBytes(value), 0);

    /// <summary>Integers that the caller keeps in place during the call, e.g. on the stack.</summary>
    internal static unsafe Argument Span(long* values, int count) => new(ValueKind.Integers, null, (nint)values, count);

    /// <summary>A list some of whose tensors may be absent, as indexing takes it.</summary>
    internal static Argument Optional(torch.Tensor?[] value) => new(ValueKind.OptionalTensors, value, 0);

    /// <summary>How many 8-byte words of scratch memory the elements of a list take.</summary>
    internal int ScratchCount => Owner is Array array && _kind != ValueKind.Tensor
        ? _kind == ValueKind.String ? (array.Length + 7) / 8 : array.Length
        : 0;

    /// <summary>Writes the native form; the elements of a list go to <paramref name="scratch"/>.</summary>
    /// <returns>Words of scratch memory taken.</returns>
    internal unsafe int Write(Value* value, long* scratch)
    {
        value->Kind = _kind;
        value->Count = _count;
        value->Payload = _payload;
        switch (_kind)
        {
            case ValueKind.Integers when Owner is not null:
                var integers = (long[])Owner;
                integers.CopyTo(new Span<long>(scratch, integers.Length));
                value->Count = integers.Length;
                break;
            case ValueKind.Tensors or ValueKind.OptionalTensors:
                var tensors = (torch.Tensor?[])Owner!;
                for (var i = 0; i < tensors.Length; i++)
                    scratch[i] = tensors[i]?.Handle ?? 0;
                value->Count = tensors.Length;
                break;
            case ValueKind.String:
                var bytes = (byte[])Owner!;
                bytes.CopyTo(new Span<byte>(scratch, bytes.Length));
                value->Count = bytes.Length;
                break;
            default:
                return 0;
        }
        value->Payload = (nint)scratch;
        return ScratchCount;
    }
}
