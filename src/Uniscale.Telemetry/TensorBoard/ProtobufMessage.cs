using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Uniscale.Telemetry.TensorBoard;

/// <summary>A protocol-buffers message under construction (encoding: protobuf.dev/programming-guides/encoding).</summary>
internal sealed class ProtobufMessage
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ProtobufMessage Double(int field, double value)
    {
        Tag(field, 1);
        Span<byte> buffer = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(buffer, value);
        _bytes.Write(buffer);
        return this;
    }

    /// <summary>A repeated field, packed.</summary>
    public ProtobufMessage Doubles(int field, ReadOnlySpan<double> values)
    {
        Tag(field, 2);
        Varint((ulong)values.Length * sizeof(double));
        foreach (double value in values)
            BinaryPrimitives.WriteDoubleLittleEndian(Grow(sizeof(double)), value);
        return this;
    }

    public ProtobufMessage Float(int field, float value)
    {
        Tag(field, 5);
        Span<byte> buffer = stackalloc byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(buffer, value);
        _bytes.Write(buffer);
        return this;
    }

    public ProtobufMessage Integer(int field, long value)
    {
        Tag(field, 0);
        Varint((ulong)value);
        return this;
    }

    public ProtobufMessage Text(int field, string value)
    {
        Tag(field, 2);
        Varint((ulong)Encoding.UTF8.GetByteCount(value));
        Encoding.UTF8.GetBytes(value, _bytes);
        return this;
    }

    public ProtobufMessage Nested(int field, ProtobufMessage message)
    {
        Tag(field, 2);
        Varint((ulong)message.Content.Length);
        _bytes.Write(message.Content);
        return this;
    }

    /// <summary>The message as it is so far.</summary>
    public ReadOnlySpan<byte> Content => _bytes.WrittenSpan;

    /// <summary>Empties the message, so that its memory serves the next one.</summary>
    public ProtobufMessage Clear()
    {
        _bytes.ResetWrittenCount();
        return this;
    }

    private Span<byte> Grow(int count)
    {
        var room = _bytes.GetSpan(count)[..count];
        _bytes.Advance(count);
        return room;
    }

    private void Tag(int field, int wireType) => Varint((ulong)((field << 3) | wireType));

    private void Varint(ulong value)
    {
        Span<byte> buffer = stackalloc byte[10];
        int length = 0;
        for (; value >= 0x80; value >>= 7)
            buffer[length++] = (byte)(value | 0x80);
        buffer[length++] = (byte)value;
        _bytes.Write(buffer[..length]);
    }
}
