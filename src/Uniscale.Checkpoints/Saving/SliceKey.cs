using Uniscale.Checkpoints.Format;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>A slice without its memory: what ranks tell one another before a save.</summary>
internal sealed record SliceKey(string Name, ElementType Type, long[] GlobalShape, long[] Offset, long[] Shape)
{
    public Box Box => new(Offset, Shape);

    public long SizeBytes => Box.Count * Type.SizeBytes();

    /// <summary>Identity: name and place. It is also the key in the safetensors file: the plain name for a whole tensor, else <c>name@offsets:extents</c>.</summary>
    public string Id { get; } = Offset.All(index => index == 0) && Shape.AsSpan().SequenceEqual(GlobalShape)
        ? Name
        : $"{Name}@{string.Join(',', Offset)}:{string.Join(',', Shape)}";

    public static SliceKey Of(StateSlice slice) => new(slice.Name, slice.Type, slice.GlobalShape, slice.Offset, slice.Shape);

    public static byte[] Serialize(IReadOnlyList<SliceKey> keys)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(keys.Count);
        foreach (var key in keys)
        {
            writer.Write(key.Name);
            writer.Write((byte)key.Type);
            writer.Write((byte)key.GlobalShape.Length);
            foreach (long number in key.GlobalShape.Concat(key.Offset).Concat(key.Shape))
                writer.Write(number);
        }
        return stream.ToArray();
    }

    public static IReadOnlyList<SliceKey> Deserialize(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes));
        var keys = new SliceKey[reader.ReadInt32()];
        for (int i = 0; i < keys.Length; i++)
        {
            string name = reader.ReadString();
            var type = (ElementType)reader.ReadByte();
            byte dims = reader.ReadByte();
            keys[i] = new SliceKey(name, type, Numbers(dims), Numbers(dims), Numbers(dims));
        }
        return keys;

        long[] Numbers(int count)
        {
            long[] numbers = new long[count];
            for (int i = 0; i < count; i++)
                numbers[i] = reader.ReadInt64();
            return numbers;
        }
    }
}
