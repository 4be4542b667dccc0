using System.Text;
using K4os.Compression.LZ4.Streams;
using SharpCompress.Compressors.BZip2;
using Uniscale.Corpus.Reading.Decompression;
using Uniscale.Corpus.Tests.Importing;
using ZstdSharp.Unsafe;

namespace Uniscale.Corpus.Tests.Reading.Decompression;

public sealed class DecompressionTests
{
    /// <summary>Two streams of `xz --check=crc64` of "first\n" and "second\n", by XZ Utils 5.4.</summary>
    private const string Xz =
        "fd377a585a000004e6d6b4460200210116000000742fe5a301000566697273740a000000492523a40a8a028a00011e06c12fa41d1fb6f37d010000000004595a"
        + "fd377a585a000004e6d6b4460200210116000000742fe5a30100067365636f6e640a000031bdb7f95cc0f16d00011f07162eb8731fb6f37d010000000004595a";

    private static readonly byte[] Text = Encoding.UTF8.GetBytes(
        string.Concat(Enumerable.Range(0, 8_000).Select(i => $"line {i * 7919 % 30_011} of text\n"))
    );

    public static TheoryData<string> Codecs => ["gzip", "zstd", "bzip2", "lz4"];

    [Theory]
    [MemberData(nameof(Codecs))]
    public void Members_follow_one_another_and_what_is_cut_or_damaged_anywhere_is_found(string codec)
    {
        byte[] one = Compress(codec, Text),
            two = [.. Compress(codec, Text.AsSpan(0, 999)), .. Compress(codec, []), .. one];
        Assert.Equal([.. Text.AsSpan(0, 999), .. Text], Read(two));
        var random = new Random(1);
        foreach (int kept in (int[])[1, 5, 12, one.Length / 3, one.Length - 9, one.Length - 1])
            Assert.Throws<InvalidDataException>(() => Read(one[..^(one.Length - kept)], $"a.{Extension(codec)}"));
        for (int trial = 0; trial < (codec == "bzip2" ? 6 : 40); trial++)
        {
            byte[] damaged = [.. two];
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            byte[]? read = null;
            var error = Record.Exception(() => read = Read(damaged, $"a.{Extension(codec)}"));
            // What is not found changed nothing: a name or a time in a header.
            Assert.True(
                error is InvalidDataException || (read is not null && read.AsSpan().SequenceEqual([.. Text.AsSpan(0, 999), .. Text])),
                $"trial {trial}: {error}"
            );
        }
    }

    [Fact]
    public void Behind_the_last_member_of_gzip_zeros_are_padding_and_anything_else_is_damage()
    {
        byte[] one = ImportFolder.Gzip(Text);
        Assert.Equal(Text, Read([.. one, .. new byte[1000]]));
        Assert.Equal([], Read(ImportFolder.Gzip([])));
        Assert.Equal(
            [.. Text, .. Text],
            Read([.. ImportFolder.Gzip([]), .. one, .. ImportFolder.Gzip([]), .. one, .. ImportFolder.Gzip([])])
        );
        foreach (
            byte[] behind in (byte[][])
                [
                    [1],
                    [0x1F],
                    [0x1F, 0x8B],
                    "garbage"u8.ToArray(),
                    new byte[] { 0, 0, 7 },
                ]
        )
            Assert.Throws<InvalidDataException>(() => Read([.. one, .. behind]));
        byte[] wrong = [.. one];
        wrong[^5] ^= 1; // the checksum
        Assert.Throws<InvalidDataException>(() => Read(wrong));
    }

    [Fact]
    public void All_streams_of_xz_are_read_and_what_is_cut_or_damaged_is_found()
    {
        byte[] xz = Convert.FromHexString(Xz);
        Assert.Equal("first\nsecond\n"u8.ToArray(), Read([.. xz, 0, 0, 0, 0]));
        for (int kept = 64; kept < xz.Length; kept++)
            if (kept != xz.Length / 2 && (kept - 64) % 4 != 0)
                Assert.Throws<InvalidDataException>(() => Read(xz[..kept], "a.xz"));
        for (int at = 0; at < xz.Length; at++)
        {
            byte[] damaged = [.. xz];
            damaged[at] ^= 0x10;
            Assert.Throws<InvalidDataException>(() => Read(damaged, "a.xz"));
        }
    }

    [Fact]
    public void Headers_of_gzip_may_hold_names_comments_and_more()
    {
        byte[] plain = ImportFolder.Gzip(Text);
        byte[] header = [.. plain[..3], 2 | 4 | 8 | 16, .. plain[4..10], 3, 0, 1, 2, 3, .. "name\0comment\0"u8, 9, 9, .. plain[10..]];
        Assert.Equal(Text, Read(header));
    }

    [Fact]
    public void A_window_of_a_gigabyte_is_read_and_a_dictionary_is_named()
    {
        using var bytes = new MemoryStream();
        using (var compressor = new ZstdSharp.CompressionStream(bytes, leaveOpen: true))
        {
            compressor.SetParameter(ZSTD_cParameter.ZSTD_c_enableLongDistanceMatching, 1);
            compressor.SetParameter(ZSTD_cParameter.ZSTD_c_windowLog, 30);
            compressor.Write(Text);
        }
        Assert.Equal(Text, Read(bytes.ToArray()));
        byte[] skippable = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3, .. ImportFolder.Zstd(Text)];
        Assert.Equal(Text, Read(skippable));
    }

    [Fact]
    public void What_only_its_name_calls_compressed_is_text_or_damaged()
    {
        string name = "a.txt.gz";
        Assert.Equal(
            "plain"u8.ToArray(),
            All(Decompressor.Decompress(new PeekStream(new MemoryStream("plain"u8.ToArray())), ref name, [], allowsText: true))
        );
        Assert.Equal("a.txt", name);
        Assert.Contains(
            "its name says gzip",
            Assert.Throws<InvalidDataException>(() => Read([0x1F, 0x8A, 8, 0, 1], "a.gz")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains("it is empty", Assert.Throws<InvalidDataException>(() => Read([], "a.gz")).Message, StringComparison.Ordinal);
    }

    private static byte[] Read(byte[] bytes, string name = "a")
    {
        using var stream = Decompressor.Decompress(new PeekStream(new MemoryStream(bytes)), ref name, [], allowsText: false);
        return All(stream);
    }

    private static byte[] All(Stream stream)
    {
        using var all = new MemoryStream();
        stream.CopyTo(all);
        return all.ToArray();
    }

    private static string Extension(string codec) =>
        codec switch
        {
            "gzip" => "gz",
            "zstd" => "zst",
            "bzip2" => "bz2",
            _ => codec,
        };

    private static byte[] Compress(string codec, ReadOnlySpan<byte> text)
    {
        if (codec is "gzip")
            return ImportFolder.Gzip(text);
        using var bytes = new MemoryStream();
        using (
            Stream stream = codec switch
            {
                "zstd" => Checked(bytes),
                "bzip2" => BZip2Stream.Create(
                    bytes,
                    SharpCompress.Compressors.CompressionMode.Compress,
                    decompressConcatenated: false,
                    leaveOpen: true
                ),
                _ => LZ4Stream.Encode(bytes, new LZ4EncoderSettings { ContentChecksum = true }, leaveOpen: true),
            }
        )
        {
            stream.Write(text);
        }
        return bytes.ToArray();
    }

    private static ZstdSharp.CompressionStream Checked(Stream bytes)
    {
        var stream = new ZstdSharp.CompressionStream(bytes, leaveOpen: true);
        stream.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        return stream;
    }
}
