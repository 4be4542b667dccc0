using TorchSharp.Native;

namespace TorchSharp;

/// <summary>A number that an operator takes beside tensors; its type takes part in type promotion as a category only.</summary>
public sealed class Scalar : IDisposable
{
    private Scalar(torch.ScalarType type, ValueKind kind, long payload)
    {
        Type = type;
        Kind = kind;
        Payload = payload;
    }

    public torch.ScalarType Type { get; }

    internal ValueKind Kind { get; }

    internal long Payload { get; }

    internal double Real => Kind == ValueKind.Real ? BitConverter.Int64BitsToDouble(Payload) : Payload;

    internal long Integer => Kind == ValueKind.Real ? (long)Real : Payload;

    public static implicit operator Scalar(byte value) => new(torch.ScalarType.Byte, ValueKind.Integer, value);

    public static implicit operator Scalar(sbyte value) => new(torch.ScalarType.Int8, ValueKind.Integer, value);

    public static implicit operator Scalar(short value) => new(torch.ScalarType.Int16, ValueKind.Integer, value);

    public static implicit operator Scalar(int value) => new(torch.ScalarType.Int32, ValueKind.Integer, value);

    public static implicit operator Scalar(long value) => new(torch.ScalarType.Int64, ValueKind.Integer, value);

    public static implicit operator Scalar(Half value) => OfReal(torch.ScalarType.Float16, (double)value);

    public static implicit operator Scalar(float value) => OfReal(torch.ScalarType.Float32, value);

    public static implicit operator Scalar(double value) => OfReal(torch.ScalarType.Float64, value);

    public static implicit operator Scalar(bool value) => new(torch.ScalarType.Bool, ValueKind.Boolean, value ? 1 : 0);

    public void Dispose() => GC.SuppressFinalize(this);

    internal static Scalar OfReal(torch.ScalarType type, double value) =>
        new(type, ValueKind.Real, BitConverter.DoubleToInt64Bits(value));

    internal static Scalar Of(Value value) => value.Kind switch
    {
        ValueKind.Real => value.Real,
        ValueKind.Boolean => value.Payload != 0,
        _ => value.Payload,
    };
}
