using System.Buffers.Binary;
using Uniscale.Configuration;

namespace Uniscale.Data.Tests;

public sealed class TokenShardTests : IDisposable
{
    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Theory]
    [InlineData(32_000, TokenType.UInt16)]
    [InlineData(65_499, TokenType.UInt16)]
    [InlineData(65_500, TokenType.Int32)]
    [InlineData(92_544, TokenType.Int32)]
    public void What_is_written_is_read_by_both_readers(int vocabulary, TokenType type)
    {
        var random = new Random(7);
        int[][] documents =
        [
            .. Enumerable.Range(0, 50).Select(_ => Enumerable.Range(0, random.Next(1, 90)).Select(_ => random.Next(vocabulary)).ToArray()),
        ];
        string prefix = _corpus.PathOf("written");
        using (var writer = new ShardWriter(prefix, vocabulary))
        {
            foreach (int[] document in documents)
                writer.Add(document);
            writer.Complete();
        }

        Assert.Equal(documents.Select(d => d.Select(t => (long)t)), PlainReader.Documents(prefix));
        using var shard = TokenShard.Open(prefix);
        Assert.Equal(type, shard.Type);
        int[] all = new int[shard.TokenCount];
        shard.Read(0, all);
        Assert.Equal(documents.SelectMany(d => d), all);
        int[] middle = new int[100];
        shard.Read(333, middle);
        Assert.Equal(all[333..433], middle);
        long position = 0;
        for (int d = 0; d < documents.Length; d++)
        {
            Assert.Equal(position, shard.DocumentStart(d));
            Assert.Equal(d, shard.DocumentAt(position));
            Assert.Equal(d, shard.DocumentAt(position + documents[d].Length - 1));
            position += documents[d].Length;
        }
        Assert.Equal(shard.Fingerprint, shard.Verify(vocabulary));
    }

    [Fact]
    public void A_pair_written_by_Megatron_is_read()
    {
        // Two documents of one and two sequences ([5 6 7], [8] [9 10]) with the optional modes at the end, byte by byte as the format says.
        string prefix = _corpus.PathOf("megatron");
        File.WriteAllBytes(prefix + ".bin", [5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0]);
        byte[] header = [.. "MMIDIDX\0\0"u8, 1, 0, 0, 0, 0, 0, 0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
        byte[] lengths = [3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
        byte[] offsets = [0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0];
        byte[] marks = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
        File.WriteAllBytes(prefix + ".idx", [.. header, .. lengths, .. offsets, .. marks, 0, 0, 0]);

        using var shard = TokenShard.Open(prefix + ".bin");
        int[] tokens = new int[6];
        shard.Read(0, tokens);
        Assert.Equal([5, 6, 7, 8, 9, 10], tokens);
        Assert.Equal(2, shard.DocumentCount);
        Assert.Equal([0, 0, 0, 1, 1, 1], Enumerable.Range(0, 6).Select(i => shard.DocumentAt(i)));
        shard.Verify();
    }

    [Fact]
    public void A_missing_half_is_named()
    {
        string prefix = _corpus.Count("half", 0, 10);
        File.Delete(prefix + ".idx");
        Assert.Contains("half.idx does not exist", Refused(prefix), StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_magic_is_refused()
    {
        string prefix = _corpus.Count("magic", 0, 10);
        Patch(prefix + ".idx", 0, (byte)'X');
        Assert.Contains("does not begin with MMIDIDX", Refused(prefix), StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_version_or_type_is_refused()
    {
        string prefix = _corpus.Count("version", 0, 10);
        Patch(prefix + ".idx", 9, 2);
        Assert.Contains("format version 2", Refused(prefix), StringComparison.Ordinal);
        Patch(prefix + ".idx", 9, 1);
        Patch(prefix + ".idx", 17, 6);
        Assert.Contains("type 6", Refused(prefix), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".bin", "describes")]
    [InlineData(".idx", "does not fit")]
    public void A_truncated_file_is_refused(string extension, string sentence)
    {
        string prefix = _corpus.Count("cut", 0, 10, 20, 30);
        using (var file = File.OpenWrite(prefix + extension))
            file.SetLength(file.Length - 5);
        Assert.Contains(sentence, Refused(prefix), StringComparison.Ordinal);
    }

    [Fact]
    public void An_index_cut_within_its_header_or_empty_is_refused()
    {
        string prefix = _corpus.Count("header", 0, 10);
        using (var file = File.OpenWrite(prefix + ".idx"))
            file.SetLength(20);
        Assert.Contains("20 bytes, fewer than", Refused(prefix), StringComparison.Ordinal);
        File.WriteAllBytes(prefix + ".idx", []);
        Assert.Contains("0 bytes, fewer than", Refused(prefix), StringComparison.Ordinal);
    }

    [Fact]
    public void Lengths_that_disagree_with_offsets_are_refused()
    {
        string prefix = _corpus.Count("lengths", 0, 10, 20);
        byte[] index = File.ReadAllBytes(prefix + ".idx");
        BinaryPrimitives.WriteInt32LittleEndian(index.AsSpan(34), 11);
        File.WriteAllBytes(prefix + ".idx", index);
        Assert.Contains("sequence 1", Refused(prefix), StringComparison.Ordinal);
    }

    [Fact]
    public void A_shard_cut_or_changed_while_open_is_refused_not_a_crash()
    {
        string prefix = _corpus.Count("changed", 0, 100_000);
        using var shard = TokenShard.Open(prefix);
        int[] tokens = new int[10];
        shard.Read(90_000, tokens);
        using (var file = new FileStream(prefix + ".bin", FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(4096);
        Assert.Contains(
            "was changed after the run opened it",
            Assert.Throws<UserErrorException>(() => shard.Read(90_000, tokens)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void An_index_cut_while_open_is_refused_not_a_crash()
    {
        string prefix = _corpus.Count("index", 0, [.. Enumerable.Repeat(10, 2000)]);
        using var shard = TokenShard.Open(prefix);
        using (var file = new FileStream(prefix + ".idx", FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(40);
        Assert.Contains(
            "index.idx was changed after the run opened it",
            Assert.Throws<UserErrorException>(() => shard.Read(9000, new int[10])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_token_outside_the_vocabulary_is_found_by_verify()
    {
        using var shard = TokenShard.Open(_corpus.Count("large", 95, 10));
        Assert.Contains(
            "token 100",
            Assert.Throws<UserErrorException>(() => shard.Verify(vocabulary: 100)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_fingerprint_follows_content_not_place_or_time()
    {
        string a = _corpus.Count("a", 0, 10, 20),
            b = _corpus.Count("b", 0, 10, 20),
            c = _corpus.Count("c", 0, 20, 10),
            d = _corpus.Count("d", 1, 10, 20);
        string[] prints =
        [
            .. new[] { a, b, c, d }.Select(prefix =>
            {
                using var shard = TokenShard.Open(prefix);
                return shard.Fingerprint;
            }),
        ];
        Assert.Equal(prints[0], prints[1]);
        Assert.Equal(3, prints.Distinct().Count());
    }

    [Fact]
    public void An_unfinished_shard_leaves_nothing_behind()
    {
        using (var writer = new ShardWriter(_corpus.PathOf("unfinished"), 100))
            writer.Add([1, 2, 3]);
        Assert.Empty(Directory.GetFiles(_corpus.Root));
    }

    /// <summary>Marks say where each document begins and where the last ends; without them tokens belong to nothing.</summary>
    [Theory]
    [InlineData(new long[] { 0 }, "marks no document")]
    [InlineData(new long[0], "marks no document")]
    [InlineData(new long[] { 0, 1 }, "from sequence 0 to 1")]
    [InlineData(new long[] { 1, 2 }, "from sequence 1 to 2")]
    [InlineData(new long[] { 0, 2, 1, 2 }, "document 2 begin at sequence 1")]
    public void Marks_that_do_not_cover_the_sequences_are_refused(long[] marks, string sentence)
    {
        string prefix = _corpus.Count("marks", 0, 10, 20);
        byte[] index = File.ReadAllBytes(prefix + ".idx")[..(ShardFormat.HeaderBytes + 24)];
        BinaryPrimitives.WriteInt64LittleEndian(index.AsSpan(26), marks.Length);
        File.WriteAllBytes(prefix + ".idx", [.. index, .. marks.SelectMany(BitConverter.GetBytes)]);
        Assert.Contains(sentence, Refused(prefix), StringComparison.Ordinal);
    }

    [Fact]
    public void Many_shards_keep_no_descriptors()
    {
        string prefix = _corpus.Count("one", 0, 10);
        int before = Directory.GetFiles("/proc/self/fd").Length;
        TokenShard[] shards = [.. Enumerable.Range(0, 600).Select(_ => TokenShard.Open(prefix))];
        int open = Directory.GetFiles("/proc/self/fd").Length;
        Array.ForEach(shards, shard => shard.Dispose());
        Assert.True(open - before < 300, $"{open - before} descriptors for 600 shards");
    }

    [Fact]
    public void Shards_are_found_in_folders_and_beside_other_files()
    {
        string a = _corpus.Count("a", 0, 10),
            b = _corpus.Count("b", 0, 10);
        File.WriteAllText(_corpus.PathOf("a.tokenized.json"), "{}");
        Assert.Equal([a, b], ShardPaths.Find([_corpus.Root]));
        Assert.Equal([a, b], ShardPaths.Find(Directory.GetFiles(_corpus.Root).Order(StringComparer.Ordinal).ToArray()));
        Assert.Throws<UserErrorException>(() => ShardPaths.Find([_corpus.PathOf("a.tokenized.json")]));
    }

    private static void Patch(string path, int offset, byte value)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[offset] = value;
        File.WriteAllBytes(path, bytes);
    }

    private static string Refused(string prefix) => Assert.Throws<UserErrorException>(() => TokenShard.Open(prefix)).Message;
}
