using System.Globalization;
using System.Text;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Agrees on the file that the ranks of a host write together: their parts follow one another behind one header.</summary>
internal static class NodeFile
{
    /// <summary>Finds the place of a rank's part; the ranks of a host call it together.</summary>
    /// <param name="group">All ranks.</param>
    /// <param name="places">Who shares the host.</param>
    /// <param name="content">What this rank writes.</param>
    /// <exception cref="CheckpointException">The header would be longer than the format has it, on all ranks of the host.</exception>
    public static ShardImage Agree(IProcessGroup group, NodePlaces places, ShardContent content)
    {
        string table = string.Create(CultureInfo.InvariantCulture, $"{ShardImage.TableName}.{group.Rank:00000}");
        ShardTensor[] own = content.Keys.Count == 0 ? [] : [.. content.Tensors(table)];
        byte[] told;
        if (places.IsFirst)
        {
            IReadOnlyList<ShardTensor[]> all =
            [
                own,
                .. places.Members.Skip(1).Select(rank => ReadTensors(GroupExchange.Receive(group, rank))),
            ];
            var answers = Place(all);
            for (int i = 1; i < answers.Count; i++)
                GroupExchange.Send(group, answers[i], places.Members[i]);
            told = answers[0];
        }
        else
        {
            GroupExchange.Send(group, ToBytes(own), places.Members[0]);
            told = GroupExchange.Receive(group, places.Members[0]);
        }
        using var reader = new BinaryReader(new MemoryStream(told), Encoding.UTF8);
        string problem = reader.ReadString();
        if (problem.Length > 0)
            throw new CheckpointException(problem);
        long start = reader.ReadInt64();
        return ShardImage.InNode(places.Node, start, reader.ReadBytes(reader.ReadInt32()), content);
    }

    /// <summary>What each rank is told: a sentence if it cannot be, where its part begins, and the header, if it writes it.</summary>
    private static List<byte[]> Place(IReadOnlyList<ShardTensor[]> ranks)
    {
        byte[] header = [];
        string problem = "";
        try
        {
            header = ShardImage.HeaderOf(ranks.SelectMany(tensors => tensors));
        }
        catch (CheckpointException failure)
        {
            problem = failure.Message;
        }
        long start = 0;
        var answers = new List<byte[]>();
        foreach (var tensors in ranks)
        {
            // The first that writes anything writes the header too.
            byte[] written = start == 0 && tensors.Length > 0 ? header : [];
            using var stream = new MemoryStream();
            using var writer = new BinaryWriter(stream, Encoding.UTF8);
            writer.Write(problem);
            writer.Write(start);
            writer.Write(written.Length);
            writer.Write(written);
            answers.Add(stream.ToArray());
            start += written.Length + tensors.Sum(tensor => tensor.SizeBytes);
        }
        return answers;
    }

    private static byte[] ToBytes(ShardTensor[] tensors)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        foreach (var (name, type, shape) in tensors)
        {
            writer.Write(name);
            writer.Write((byte)type);
            writer.Write((byte)shape.Length);
            foreach (long extent in shape)
                writer.Write7BitEncodedInt64(extent);
        }
        return stream.ToArray();
    }

    private static ShardTensor[] ReadTensors(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
        var tensors = new List<ShardTensor>();
        while (reader.BaseStream.Position < bytes.Length)
        {
            string name = reader.ReadString();
            var type = (ElementType)reader.ReadByte();
            long[] shape = new long[reader.ReadByte()];
            for (int dim = 0; dim < shape.Length; dim++)
                shape[dim] = reader.Read7BitEncodedInt64();
            tensors.Add(new(name, type, shape));
        }
        return [.. tensors];
    }
}
