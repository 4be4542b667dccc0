using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Uniscale.Checkpoints.Gguf;

/// <summary>Types of tensors in GGUF, numbered as in the format.</summary>
public enum GgufType
{
    /// <summary>IEEE 754 single precision.</summary>
    F32 = 0,

    /// <summary>IEEE 754 half precision.</summary>
    F16 = 1,

    /// <summary>The upper half of single precision.</summary>
    BF16 = 30,
}

/// <summary>A tensor as the file's directory names it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Extents, the slowest first; the file has them the other way round.</param>
/// <param name="Type">Type of an element.</param>
internal sealed record GgufTensor(string Name, long[] Shape, GgufType Type)
{
    /// <summary>Elements.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);

    /// <summary>Bytes of its data.</summary>
    public long SizeBytes => Count * SizeOf(Type);

    /// <summary>Bytes of an element.</summary>
    public static int SizeOf(GgufType type) => type == GgufType.F32 ? 4 : 2;
}

/// <summary>
/// Header and directory of a GGUF file, version 3 (ggml's docs/gguf.md): magic, counts, keys with typed values, then name, extents, type
/// and offset of each tensor. Data
/// of tensors begin at multiples of 32 bytes behind it.
/// </summary>
internal sealed class GgufWriter
{
    /// <summary>Data begin at multiples of it.</summary>
    public const int Alignment = 32;

    private const uint Version = 3;

    private readonly ArrayBufferWriter<byte> _keys = new();
    private readonly List<GgufTensor> _tensors = [];
    private ulong _keyCount;

    private enum ValueType : uint
    {
        UInt32 = 4,
        Int32 = 5,
        Float32 = 6,
        Boolean = 7,
        Text = 8,
        Array = 9,
    }

    /// <summary>The tensors, in the order of their data.</summary>
    public IReadOnlyList<GgufTensor> Tensors => _tensors;

    /// <summary>Adds a tensor to the directory.</summary>
    public void Add(GgufTensor tensor) => _tensors.Add(tensor);

    /// <summary>Adds a key.</summary>
    public void Add(string key, string value) => Key(key, ValueType.Text, () => Text(_keys, value));

    /// <inheritdoc cref="Add(string, string)"/>
    public void Add(string key, uint value) => Key(key, ValueType.UInt32, () => UInt32(_keys, value));

    /// <inheritdoc cref="Add(string, string)"/>
    public void Add(string key, float value) => Key(key, ValueType.Float32, () => Float(_keys, value));

    /// <inheritdoc cref="Add(string, string)"/>
    public void Add(string key, bool value) => Key(key, ValueType.Boolean, () => _keys.Write([value ? (byte)1 : (byte)0]));

    /// <inheritdoc cref="Add(string, string)"/>
    public void Add(string key, IReadOnlyCollection<string> values) => Values(key, ValueType.Text, values, value => Text(_keys, value));

    /// <inheritdoc cref="Add(string, string)"/>
    public void Add(string key, IReadOnlyCollection<float> values) => Values(key, ValueType.Float32, values, value => Float(_keys, value));

    /// <inheritdoc cref="Add(string, string)"/>
    public void Add(string key, IReadOnlyCollection<int> values) =>
        Values(key, ValueType.Int32, values, value => UInt32(_keys, unchecked((uint)value)));

    /// <summary>What stands before the first tensor's data, up to the alignment.</summary>
    public byte[] Header()
    {
        var header = new ArrayBufferWriter<byte>();
        header.Write("GGUF"u8);
        UInt32(header, Version);
        UInt64(header, (ulong)_tensors.Count);
        UInt64(header, _keyCount);
        header.Write(_keys.WrittenSpan);
        ulong offset = 0;
        foreach (var tensor in _tensors)
        {
            Text(header, tensor.Name);
            UInt32(header, (uint)tensor.Shape.Length);
            foreach (long extent in tensor.Shape.Reverse())
                UInt64(header, (ulong)extent);
            UInt32(header, (uint)tensor.Type);
            UInt64(header, offset);
            offset += (ulong)Aligned(tensor.SizeBytes);
        }
        header.Write(new byte[Aligned(header.WrittenCount) - header.WrittenCount]);
        return header.WrittenSpan.ToArray();
    }

    /// <summary>The next multiple of the alignment.</summary>
    public static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private void Key(string key, ValueType type, Action value)
    {
        Text(_keys, key);
        UInt32(_keys, (uint)type);
        value();
        _keyCount++;
    }

    private void Values<T>(string key, ValueType type, IReadOnlyCollection<T> values, Action<T> write) =>
        Key(
            key,
            ValueType.Array,
            () =>
            {
                UInt32(_keys, (uint)type);
                UInt64(_keys, (ulong)values.Count);
                foreach (var value in values)
                    write(value);
            }
        );

    private static void Text(ArrayBufferWriter<byte> stream, string value)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(value);
        UInt64(stream, (ulong)utf8.Length);
        stream.Write(utf8);
    }

    private static void UInt32(ArrayBufferWriter<byte> stream, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    private static void UInt64(ArrayBufferWriter<byte> stream, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    private static void Float(ArrayBufferWriter<byte> stream, float value) => UInt32(stream, BitConverter.SingleToUInt32Bits(value));
}
