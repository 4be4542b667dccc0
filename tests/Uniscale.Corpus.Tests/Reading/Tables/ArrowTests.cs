using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using Uniscale.Corpus.Tests.Importing;

namespace Uniscale.Corpus.Tests.Reading.Tables;

public sealed class ArrowTests : IDisposable
{
    private static readonly string?[] Texts = ["Café one", "Café two", null, "训练", ""];

    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, null)]
    [InlineData(false, CompressionCodecType.Zstd)]
    [InlineData(false, CompressionCodecType.Lz4Frame)]
    [InlineData(true, null)]
    [InlineData(true, CompressionCodecType.Zstd)]
    [InlineData(true, CompressionCodecType.Lz4Frame)]
    public void Rows_of_streams_and_files_become_documents_in_all_layouts_of_strings(bool isFile, CompressionCodecType? codec)
    {
        foreach (var array in Arrays())
        {
            byte[] bytes = Write(array, isFile, codec);
            (var report, var documents) = _folder.Read(_folder.Write("cache-0001", bytes));
            Assert.Equal(["Café one", "Café two", "训练", "Café one", "Café two", "训练"], documents.Select(document => document.Text));
            Assert.Equal(("arrow", 4L), (Assert.Single(report.Forms).Key, report.LeftOut["rows without text"]));
            Assert.Equal("cache-0001:6", documents[3].Source);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_cut_or_damaged_file_is_left_out(bool isFile)
    {
        byte[] whole = Write(Arrays().First(), isFile, CompressionCodecType.Zstd);
        _folder.AssertDamaged("cut.arrow", whole[..(whole.Length / 2)], "cannot be read");
        _folder.AssertDamaged("end.arrow", whole[..^1], "cannot be read");
        byte[] damaged = [.. whole];
        damaged.AsSpan(whole.Length / 3, 24).Fill(0xEE);
        _folder.AssertDamaged("damaged.arrow", damaged, "cannot be read");
        _folder.AssertDamaged("foreign.arrow", "no table at all"u8.ToArray(), "cannot be read");
    }

    private static IEnumerable<IArrowArray> Arrays()
    {
        var plain = new StringArray.Builder();
        var view = new StringViewArray.Builder();
        var binary = new BinaryArray.Builder();
        foreach (string? text in Texts)
        {
            plain.Append(text);
            view.Append(text);
            if (text is null)
                binary.AppendNull();
            else
                binary.Append(System.Text.Encoding.UTF8.GetBytes(text).AsEnumerable());
        }
        yield return plain.Build();
        yield return view.Build();
        yield return binary.Build();
        var words = new StringArray.Builder().AppendRange(["Café one", "Café two", "训练", ""]).Build();
        yield return new DictionaryArray(
            new DictionaryType(Int32Type.Default, StringType.Default, false),
            new Int32Array.Builder().Append(0).Append(1).AppendNull().Append(2).Append(3).Build(),
            words
        );
    }

    private static byte[] Write(IArrowArray array, bool isFile, CompressionCodecType? codec)
    {
        var schema = new Schema([new("id", Int64Type.Default, false), new("text", array.Data.DataType, true)], null);
        var ids = new Int64Array.Builder().AppendRange(Enumerable.Range(0, array.Length).Select(i => (long)i)).Build();
        using var bytes = new MemoryStream();
        var options = new IpcOptions
        {
            CompressionCodecFactory = codec is null ? null : new CompressionCodecFactory(),
            CompressionCodec = codec,
        };
        using (
            var writer = isFile ? new ArrowFileWriter(bytes, schema, true, options) : new ArrowStreamWriter(bytes, schema, true, options)
        )
        {
            for (int batch = 0; batch < 2; batch++)
                writer.WriteRecordBatch(new RecordBatch(schema, [ids, array], array.Length));
            writer.WriteEnd();
        }
        return bytes.ToArray();
    }
}
