using System.Text;
using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Parts that several tensors have alike in a rank's file.</summary>
/// <param name="Tensors">The tensors, by their place in the table, ascending.</param>
/// <param name="Parts">Offsets and extents, in order of the offsets.</param>
internal sealed record PartGroup(IReadOnlyList<int> Tensors, IReadOnlyList<Box> Parts);

/// <summary>
/// What rank 0 has to know of a rank's part to write the manifest: told once for a plan, not at each save. Layers that lie alike are told
/// in one group, so it is
/// a few kilobytes, however many slices the rank has.
/// </summary>
/// <param name="TensorsDigest">Digest of the table of tensors, which must be the same on all ranks.</param>
/// <param name="FileName">The file; ranks of a host may have one in common, in which their parts follow one another.</param>
/// <param name="SizeBytes">Bytes that the rank writes; 0: none.</param>
/// <param name="HeaderBytes">Bytes of the file's header among them; 0: another rank writes it.</param>
/// <param name="HeaderDigest">Digest of those.</param>
/// <param name="Groups">Its parts.</param>
internal sealed record ShardSummary(
    byte[] TensorsDigest,
    string FileName,
    long SizeBytes,
    long HeaderBytes,
    byte[] HeaderDigest,
    IReadOnlyList<PartGroup> Groups
)
{
    /// <summary>What a rank tells of its plan.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="image">What it writes by it, and where.</param>
    public static ShardSummary Of(SavePlan plan, ShardImage image)
    {
        // Entries of a tensor follow one another, in order of their places.
        var byTensor = image
            .Entries.GroupBy(entry => entry.Key.Tensor)
            .Select(entries =>
                (Tensor: entries.Key, Parts: entries.Select(entry => entry.Key.Box).ToArray(), entries.First().Key.GlobalShape)
            );
        var groups = byTensor
            .GroupBy(tensor =>
                string.Join(';', tensor.Parts.Select(part => $"{string.Join(',', part.Offset)}:{string.Join(',', part.Shape)}"))
            )
            .Select(alike => new PartGroup([.. alike.Select(tensor => tensor.Tensor).Order()], alike.First().Parts));
        return new ShardSummary(
            plan.Tensors.ToDigest(),
            image.FileName,
            image.Entries.Count == 0 ? 0 : image.SizeBytes,
            image.Header.Length,
            System.IO.Hashing.XxHash128.Hash(image.Header),
            [.. groups]
        );
    }

    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(TensorsDigest);
        writer.Write(FileName);
        writer.Write7BitEncodedInt64(SizeBytes);
        writer.Write7BitEncodedInt64(HeaderBytes);
        writer.Write(HeaderDigest);
        writer.Write7BitEncodedInt(Groups.Count);
        foreach (var (tensors, parts) in Groups)
        {
            writer.Write7BitEncodedInt(tensors.Count);
            int last = 0;
            foreach (int tensor in tensors)
            {
                writer.Write7BitEncodedInt(tensor - last);
                last = tensor;
            }
            writer.Write7BitEncodedInt(parts.Count);
            writer.Write7BitEncodedInt(parts[0].Offset.Length);
            foreach (long number in parts.SelectMany(part => part.Offset.Concat(part.Shape)))
                writer.Write7BitEncodedInt64(number);
        }
        return stream.ToArray();
    }

    public static ShardSummary Read(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
        byte[] tensors = reader.ReadBytes(Digest.SizeBytes);
        string file = reader.ReadString();
        long size = reader.Read7BitEncodedInt64(),
            header = reader.Read7BitEncodedInt64();
        byte[] digest = reader.ReadBytes(Digest.SizeBytes);
        var groups = new PartGroup[reader.Read7BitEncodedInt()];
        for (int i = 0; i < groups.Length; i++)
        {
            int last = 0;
            int[] indices = new int[reader.Read7BitEncodedInt()];
            for (int k = 0; k < indices.Length; k++)
                indices[k] = last += reader.Read7BitEncodedInt();
            var parts = new Box[reader.Read7BitEncodedInt()];
            int dims = reader.Read7BitEncodedInt();
            for (int k = 0; k < parts.Length; k++)
                parts[k] = new Box(Numbers(dims), Numbers(dims));
            groups[i] = new PartGroup(indices, parts);
        }
        return new ShardSummary(tensors, file, size, header, digest, groups);

        long[] Numbers(int count)
        {
            long[] numbers = new long[count];
            for (int i = 0; i < count; i++)
                numbers[i] = reader.Read7BitEncodedInt64();
            return numbers;
        }
    }
}
