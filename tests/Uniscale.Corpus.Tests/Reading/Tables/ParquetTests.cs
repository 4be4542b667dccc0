using Apache.Arrow;
using Apache.Arrow.Types;
using ParquetSharp;
using ParquetSharp.Arrow;
using Uniscale.Corpus.Reading;
using Uniscale.Corpus.Tests.Importing;
using TimeUnit = Apache.Arrow.Types.TimeUnit;

namespace Uniscale.Corpus.Tests.Reading.Tables;

public sealed class ParquetTests : IDisposable
{
    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static IEnumerable<TheoryDataRow<Encoding, Compression, ParquetDataPageVersion>> Layouts()
    {
        foreach (
            var encoding in (Encoding[])[Encoding.Plain, Encoding.PlainDictionary, Encoding.DeltaByteArray, Encoding.DeltaLengthByteArray]
        )
            foreach (
                var codec in (Compression[])
                    [Compression.Uncompressed, Compression.Snappy, Compression.Gzip, Compression.Zstd, Compression.Lz4, Compression.Brotli]
            )
                foreach (var version in (ParquetDataPageVersion[])[ParquetDataPageVersion.V1, ParquetDataPageVersion.V2])
                    yield return new TheoryDataRow<Encoding, Compression, ParquetDataPageVersion>(encoding, codec, version);
    }

    /// <summary>
    /// Beginnings shared with the text before that end within a character or behind one: readers that count characters for bytes give other
    /// words.
    /// </summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void Every_encoding_codec_and_page_version_gives_the_words_that_were_written(
        Encoding encoding,
        Compression codec,
        ParquetDataPageVersion version
    )
    {
        string?[][] sets =
        [
            ["Café one", "Café two", "Cafè", "训练语言模型", "训练语言", "训线", "\U0001F642a", "\U0001F643b", "", "z"],
            ["first", null, null, "zweites", null],
            [null, null, null],
            [],
            [.. Enumerable.Range(0, 400).Select(i => i % 7 == 0 ? null : $"überlauf {i} {new string('x', i % 90)}")], // beyond the dictionary
        ];
        foreach (string?[] texts in sets)
        {
            string path = _folder.PathOf($"{Guid.NewGuid():N}.parquet");
            Write(path, texts, encoding, codec, version);
            (var report, var documents) = _folder.Read(path);
            Assert.Equal(texts.Where(text => !string.IsNullOrWhiteSpace(text)), documents.Select(document => document.Text));
            Assert.Equal(texts.Count(string.IsNullOrWhiteSpace), report.LeftOut.GetValueOrDefault("rows without text"));
        }
    }

    [Fact]
    public void Binary_columns_structures_chats_and_fields_are_read_and_other_columns_do_not_matter()
    {
        string path = _folder.Write("rows", []); // known by its content
        var message = new StructType([
            new Apache.Arrow.Field("role", StringType.Default, true),
            new Apache.Arrow.Field("content", StringType.Default, true),
        ]);
        StringArray Strings(params string[] texts) => new StringArray.Builder().AppendRange(texts).Build();
        var messages = new ListArray(
            new ListType(message),
            2,
            new ArrowBuffer.Builder<int>().AppendRange([0, 2, 3]).Build(),
            new StructArray(message, 3, [Strings("user", "assistant", "user"), Strings("Hi?", "Ja.", "Ende")], ArrowBuffer.Empty),
            ArrowBuffer.Empty
        );
        var meta = new StructType([new Apache.Arrow.Field("url", StringType.Default, true)]);
        var schema = new Schema(
            [
                new("embedding", HalfFloatType.Default, false),
                new("content", BinaryType.Default, false),
                new("meta", meta, false),
                new("id", Int64Type.Default, false),
                new("language_score", FloatType.Default, false),
                new("date", new TimestampType(TimeUnit.Millisecond, "UTC"), false),
                new("messages", messages.Data.DataType, false),
                new("price", new Decimal128Type(10, 2), false),
            ],
            null
        );
        var batch = new RecordBatch(
            schema,
            [
                new HalfFloatArray.Builder().Append((Half)1).Append((Half)2).Build(),
                new BinaryArray.Builder()
                    .Append("erste Zeile"u8.ToArray().AsEnumerable())
                    .Append(((byte[])[0xFF, 0xFE]).AsEnumerable())
                    .Build(),
                new StructArray(meta, 2, [Strings("https://a.example", "https://b.example")], ArrowBuffer.Empty),
                new Int64Array.Builder().Append(7).Append(8).Build(),
                new FloatArray.Builder().Append(0.5f).Append(1).Build(),
                new TimestampArray.Builder(TimeUnit.Millisecond, TimeZoneInfo.Utc)
                    .Append(DateTimeOffset.UnixEpoch)
                    .Append(DateTimeOffset.UnixEpoch)
                    .Build(),
                messages,
                new Decimal128Array.Builder(new Decimal128Type(10, 2)).Append(1m).Append(2m).Build(),
            ],
            2
        );
        using (var writer = new FileWriter(path, schema))
        {
            writer.WriteRecordBatch(batch);
            writer.Close();
        }
        (var report, var documents) = _folder.Read(path);
        var row = Assert.Single(documents);
        Assert.Equal(
            ("erste Zeile", "7", "https://a.example", "1970-01-01T00:00:00Z", 0.5),
            (row.Text, row.SourceId, row.Url, row.Date, row.Score)
        );
        Assert.Equal(("parquet", 1L), (Assert.Single(report.Forms).Key, report.LeftOut["rows of unknown encoding"]));
        Assert.Equal(
            ["<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\nJa.<|im_end|>\n", "<|im_start|>user\nEnde<|im_end|>\n"],
            Texts(new ReadingOptions { Template = "chatml" })
        );
        Assert.Equal(["Hi?\n\nJa.", "Ende"], Texts(new ReadingOptions { Text = "messages[].content" }));
        Assert.Equal(["https://a.example", "https://b.example"], Texts(new ReadingOptions { Text = "meta.url" }));
        List<string> Texts(ReadingOptions reading) => [.. _folder.Read(path, reading).Documents.Select(document => document.Text)];
    }

    [Fact]
    public void A_file_that_is_cut_damaged_encrypted_or_without_texts_is_left_out_with_the_reason()
    {
        string path = _folder.PathOf("good.parquet");
        Write(path, ["some text", "more text"], Encoding.Plain, Compression.Snappy, ParquetDataPageVersion.V1);
        byte[] whole = File.ReadAllBytes(path);
        _folder.AssertDamaged("short.parquet", whole[..7], "it has 7 bytes");
        _folder.AssertDamaged("cut.parquet", whole[..^9], "does not end with PAR1");
        _folder.AssertDamaged(
            "footer.parquet",
            [.. whole[..^8], 0xFF, 0xFF, 0xFF, 0x7F, .. "PAR1"u8],
            "its footer is said to have 2147483647 bytes"
        );
        _folder.AssertDamaged("encrypted.parquet", [.. whole[..^4], .. "PARE"u8], "encrypted");
        byte[] damaged = [.. whole];
        damaged.AsSpan(6, 20).Fill(0xEE);
        _folder.AssertDamaged("damaged.parquet", damaged, "cannot be read");
        _folder.AssertDamaged("packed.parquet.gz", ImportFolder.Gzip(whole), "unpack it");
        string other = _folder.PathOf("other.parquet");
        using (var writer = new ParquetFileWriter(other, [new Column<long>("id"), new Column<string>("body")]))
        {
            using var group = writer.AppendRowGroup();
            using (var ids = group.NextColumn().LogicalWriter<long>())
                ids.WriteBatch([1]);
            using (var texts = group.NextColumn().LogicalWriter<string>())
                texts.WriteBatch(["words"]);
            writer.Close();
        }
        _folder.AssertDamaged(
            "other.parquet",
            File.ReadAllBytes(other),
            "it has id (int64), body (strings): name the column of the texts with --text"
        );
        Assert.Equal("words", Assert.Single(_folder.Read(other, new ReadingOptions { Text = "body" }).Documents).Text);
    }

    /// <summary>Cut anywhere, it ends in one sentence.</summary>
    [Fact]
    public void A_file_that_is_cut_anywhere_is_left_out()
    {
        string path = _folder.PathOf("whole.parquet");
        Write(path, ["some text", "more text"], Encoding.Plain, Compression.Snappy, ParquetDataPageVersion.V1);
        byte[] whole = File.ReadAllBytes(path);
        for (int kept = 4; kept < whole.Length; kept += 61)
            _folder.AssertDamaged("cut.parquet", whole[..kept], "cannot be read");
    }

    private static void Write(string path, string?[] texts, Encoding encoding, Compression codec, ParquetDataPageVersion version)
    {
        using var builder = new WriterPropertiesBuilder();
        builder.Compression(codec).DataPageVersion(version).DataPagesize(2048).DictionaryPagesizeLimit(1024);
        if (encoding != Encoding.PlainDictionary)
            builder.DisableDictionary().Encoding(encoding);
        using var properties = builder.Build();
        using var writer = new ParquetFileWriter(path, [new Column<string>("text")], properties);
        foreach (string?[] half in (string?[][])[texts[..(texts.Length / 2)], texts[(texts.Length / 2)..]])
        {
            using var group = writer.AppendRowGroup();
            using var column = group.NextColumn().LogicalWriter<string?>();
            column.WriteBatch(half);
        }
        writer.Close();
    }
}
