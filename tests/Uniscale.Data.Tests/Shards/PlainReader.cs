using System.Text;

namespace Uniscale.Data.Tests;

/// <summary>
/// A second reader of .bin/.idx pairs, written from the description of the format alone and sharing no code with the first.
/// </summary>
internal static class PlainReader
{
    public static List<long[]> Documents(string prefix)
    {
        byte[] index = File.ReadAllBytes(prefix + ".idx"),
            bin = File.ReadAllBytes(prefix + ".bin");
        using var reader = new BinaryReader(new MemoryStream(index));
        Assert.Equal("MMIDIDX\0\0", Encoding.ASCII.GetString(reader.ReadBytes(9)));
        Assert.Equal(1UL, reader.ReadUInt64());
        byte type = reader.ReadByte();
        int sequences = (int)reader.ReadUInt64(),
            marks = (int)reader.ReadUInt64();
        int[] lengths = [.. Enumerable.Range(0, sequences).Select(_ => reader.ReadInt32())];
        long[] offsets = [.. Enumerable.Range(0, sequences).Select(_ => reader.ReadInt64())];
        long[] starts = [.. Enumerable.Range(0, marks).Select(_ => reader.ReadInt64())];
        var documents = new List<long[]>();
        for (int d = 0; d + 1 < marks; d++)
        {
            var tokens = new List<long>();
            for (long s = starts[d]; s < starts[d + 1]; s++)
                for (int t = 0; t < lengths[s]; t++)
                    tokens.Add(
                        type == 8 ? BitConverter.ToUInt16(bin, (int)offsets[s] + 2 * t) : BitConverter.ToInt32(bin, (int)offsets[s] + 4 * t)
                    );
            documents.Add([.. tokens]);
        }
        return documents;
    }
}
