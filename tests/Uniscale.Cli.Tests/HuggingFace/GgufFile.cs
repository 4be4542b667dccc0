using System.Text;

namespace Uniscale.Cli.Tests.HuggingFace;

/// <summary>A GGUF file as the format's own description has it, read without the code that writes it.</summary>
internal sealed class GgufFile
{
    private const int Alignment = 32;

    private readonly byte[] _bytes;
    private readonly long _data;
    private readonly Dictionary<string, (long[] Extents, uint Type, long Offset)> _tensors = [];

    public GgufFile(string path)
    {
        _bytes = File.ReadAllBytes(path);
        using var reader = new BinaryReader(new MemoryStream(_bytes));
        Assert.Equal("GGUF", Encoding.ASCII.GetString(reader.ReadBytes(4)));
        Assert.Equal(3u, reader.ReadUInt32());
        ulong tensors = reader.ReadUInt64(),
            keys = reader.ReadUInt64();
        for (ulong i = 0; i < keys; i++)
            Keys.Add(Text(reader), Value(reader, reader.ReadUInt32()));
        for (ulong i = 0; i < tensors; i++)
        {
            string name = Text(reader);
            long[] extents = [.. Enumerable.Range(0, (int)reader.ReadUInt32()).Select(_ => reader.ReadInt64())];
            _tensors.Add(name, (extents, reader.ReadUInt32(), reader.ReadInt64()));
        }
        _data = (reader.BaseStream.Position + Alignment - 1) / Alignment * Alignment;
        Assert.All(_tensors.Values, tensor => Assert.Equal(0, tensor.Offset % Alignment));
        // The data of the last tensor end with the file, but for its padding.
        var last = _tensors.Values.MaxBy(tensor => tensor.Offset);
        Assert.Equal(
            _bytes.Length,
            (_data + last.Offset + last.Extents.Aggregate(1L, (a, b) => a * b) * (last.Type == 0 ? 4 : 2) + Alignment - 1)
                / Alignment
                * Alignment
        );
    }

    public Dictionary<string, object> Keys { get; } = [];

    public IEnumerable<string> Names => _tensors.Keys;

    /// <summary>Extents, the fastest first, and number of the type.</summary>
    public (long[] Extents, uint Type) Shape(string name) => (_tensors[name].Extents, _tensors[name].Type);

    /// <summary>All elements, as single precision.</summary>
    public float[] Values(string name)
    {
        var (extents, type, offset) = _tensors[name];
        int count = (int)extents.Aggregate(1L, (a, b) => a * b),
            at = (int)(_data + offset);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(i =>
                    type switch
                    {
                        0 => BitConverter.ToSingle(_bytes, at + 4 * i),
                        1 => (float)BitConverter.ToHalf(_bytes, at + 2 * i),
                        _ => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(_bytes, at + 2 * i) << 16),
                    }
                ),
        ];
    }

    private static string Text(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadUInt64()));

    private static object Value(BinaryReader reader, uint type) =>
        type switch
        {
            4 => reader.ReadUInt32(),
            5 => reader.ReadInt32(),
            6 => reader.ReadSingle(),
            7 => reader.ReadBoolean(),
            8 => Text(reader),
            9 => List(reader),
            _ => throw new InvalidDataException($"There is no value of type {type}."),
        };

    private static object[] List(BinaryReader reader)
    {
        uint type = reader.ReadUInt32();
        return [.. Enumerable.Range(0, (int)reader.ReadUInt64()).Select(_ => Value(reader, type))];
    }
}
