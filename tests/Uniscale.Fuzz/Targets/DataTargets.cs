using System.IO.Compression;
using ParquetSharp;
using Uniscale.Configuration;
using Uniscale.Corpus;
using Uniscale.Data;

namespace Uniscale.Fuzz.Targets;

/// <summary>The readers of Uniscale.Data.</summary>
internal static class DataTargets
{
    private const string Lines =
        "{\"id\":\"1\",\"text\":\"one \\u00e9 \\ud83d\\ude42\"}\n{\"text\":null}\n{\"text\":\"two\",\"meta\":{\"text\":[1,2.5e3,true]}}\n";
    private const string Page =
        "<!DOCTYPE html><html><head><meta charset=utf-8><title>t</title></head><body><nav>x</nav><h1 title=\"a > b\">H &amp; h</h1><pre> a\n b</pre><![CDATA[c]]><!-- d --></body></html>";
    private const string Wiki =
        "<mediawiki xml:lang=\"en\"><page><title>T</title><ns>0</ns><revision><text>{{a|[[b]]}} '''c''' [[File:x|y]] &lt;ref>z&lt;/ref>\n{|\n|a\n|}\n</text></revision></page></mediawiki>";
    private const string Manual = ".\\\" comment\n.TH X 1\n.de Sp\n.sp\n..\n.SH NAME\nx \\- does \\fBit\\fP\n.nf\n a\n.fi\n";

    public static IEnumerable<FuzzTarget> All { get; } =
    [
        new(
            "index",
            "shard.idx",
            Shard,
            ReadShard,
            [
                [0, 0, 0, 0, 0, 0, 0, 0],
                "MMIDIDX\0\0"u8.ToArray(),
            ]
        ),
        new(
            "model",
            "tokenizer.model",
            Models,
            ReadModel,
            [
                [0x1A, 0x02, 0x18, 0x00],
                [0x0A, 0x00],
                [0x12, 0x00],
            ]
        ),
        new(
            "tokenizer",
            "tokenizer.json",
            _ =>
                [
                    Bytes(ByteLevelModel(null)),
                    Bytes(
                        ByteLevelModel(
                            @"(?i:'s|'ll)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+(?!\\S)|\\s+"
                        )
                    ),
                ],
            ReadModel,
            [
                Bytes("(a|a){9}"),
                Bytes("[^["),
                Bytes("\\\\s*"),
                Bytes("null"),
                Bytes("\"type\":\"NFC\""),
                Bytes("(?="),
                Bytes("-1"),
                Bytes("\\ud83d"),
            ]
        ),
        new(
            "jsonl",
            "a.jsonl",
            _ => [Bytes(Lines)],
            Import,
            [Bytes("\\ud83d"), Bytes("{"), Bytes("["), Bytes("\"text\":"), [0xEF, 0xBB, 0xBF], [0xFF]]
        ),
        new(
            "json",
            "a.json",
            _ => [Bytes("[{\"text\":\"a\"},{\"text\":null}]"), Bytes(Lines)],
            Import,
            [Bytes("[["), Bytes("{\"text\":"), Bytes("\\ud800")]
        ),
        new(
            "gzip",
            "a.txt.gz",
            _ => [Gzip(Bytes(Lines)), Gzip(new byte[100_000])],
            Import,
            [
                [0x1F, 0x8B, 8, 0],
            ]
        ),
        new(
            "zstd",
            "a.jsonl.zst",
            _ => [Zstd(Bytes(Lines)), Zstd(new byte[100_000])],
            Import,
            [
                [0x28, 0xB5, 0x2F, 0xFD],
                [0x50, 0x2A, 0x4D, 0x18],
            ]
        ),
        new(
            "wet",
            "a.wet",
            _ => [Bytes("WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 4\r\n\r\ntext\r\n\r\n")],
            Import,
            [Bytes("WARC/1.0\r\n"), Bytes("Content-Length: 9"), Bytes("\r\n\r\n")]
        ),
        new(
            "wiki",
            "a.xml",
            _ => [Bytes(Wiki)],
            Import,
            [Bytes("{{"), Bytes("}}"), Bytes("[["), Bytes("]]"), Bytes("{|"), Bytes("&lt;nowiki>"), Bytes("-{")]
        ),
        new(
            "html",
            "a.html",
            _ => [Bytes(Page)],
            Import,
            [Bytes("<!--"), Bytes("<script>"), Bytes("<pre>"), Bytes("&#x"), Bytes("charset=gbk"), Bytes("<![CDATA["), [0x81]]
        ),
        new("manual", "a.1", _ => [Bytes(Manual)], Import, [Bytes(".de x\n"), Bytes(".ig\n"), Bytes("\\f["), Bytes("\\*(")]),
        new(
            "parquet",
            "a.parquet",
            Rows,
            Import,
            [
                [0x15, 0x00],
                [0x19, 0xFC],
                "PAR1"u8.ToArray(),
            ]
        ),
    ];

    private static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static IReadOnlyList<byte[]> Shard(string folder)
    {
        using (var writer = new ShardWriter(Path.Combine(folder, "shard"), 100))
        {
            foreach (int length in (int[])[3, 1, 40, 7])
                writer.Add(new int[length]);
            writer.Complete();
        }
        return [File.ReadAllBytes(Path.Combine(folder, "shard.idx"))];
    }

    private static void ReadShard(string path)
    {
        using var source = TokenSource.Open(new SourceSection { Name = "fuzz", Shards = [path] });
        int[] tokens = new int[source.TokenCount];
        source.Read(0, tokens);
        source.ReadDocuments(0, tokens, 0);
        var shard = source.Shards[0];
        for (long document = 0; document <= Math.Min(100, shard.DocumentCount); document++)
            shard.DocumentStart(document);
        shard.Verify();
    }

    /// <summary>A byte-level tokenizer.json, split by ByteLevel's own pattern or by another.</summary>
    private static string ByteLevelModel(string? pattern)
    {
        string bytes256 = string.Join(
            ',',
            Enumerable.Range(0, 256).Select(b => $"{System.Text.Json.JsonSerializer.Serialize(ByteAlphabet.Of((byte)b).ToString())}:{b}")
        );
        string entries = $"{{{bytes256},\"an\":256}}",
            bytes = $$"""{"type":"ByteLevel","add_prefix_space":true,"use_regex":{{(pattern is null ? "true" : "false")}}}""",
            split = $$"""{"type":"Split","pattern":{"Regex":"{{pattern}}"},"behavior":"Isolated","invert":false}""",
            words = pattern is null ? bytes : $$"""{"type":"Sequence","pretokenizers":[{{split}},{{bytes}}]}""";
        return $$"""
            {"version":"1.0","added_tokens":[{"id":257,"content":"<|endoftext|>","special":true}],"normalizer":{"type":"NFC"},
            "pre_tokenizer":{{words}},"model":{"type":"BPE","ignore_merges":true,"vocab":{{entries}},"merges":["a n"]} }
            """;
    }

    private static IReadOnlyList<byte[]> Models(string folder)
    {
        string text = Path.Combine(folder, "text.txt"),
            model = Path.Combine(folder, "trained.model");
        File.WriteAllText(
            text,
            string.Concat(Enumerable.Range(0, 400).Select(i => $"The model number {i} of {i % 7} languages is trained.\n"))
        );
        TokenizerTrainer.Train(DocumentReader.Read(text), model, new TokenizerTraining { VocabularySize = 320, Threads = 1 });
        return [File.ReadAllBytes(model)];
    }

    private static void ReadModel(string path)
    {
        using var tokenizer = Tokenizer.Load(path);
        int[] tokens = tokenizer.Encode("The models of 12\n\tlanguages \u6A21\u578B \U0001F642" + new string('a', 3000));
        tokenizer.Decode(tokens);
        tokenizer.ByteLengths();
    }

    private static void Import(string path)
    {
        string store = Path.Combine(Path.GetDirectoryName(path)!, "store");
        if (Directory.Exists(store))
            Directory.Delete(store, recursive: true);
        new Importer(store, "fuzz", new ImportOptions { Workers = 1 }).RunAsync([path]).GetAwaiter().GetResult();
        // What was stored can be read.
        foreach (
            var document in Directory.GetFiles(Path.Combine(store, "fuzz"), "*.zst").SelectMany(file => StoredDocumentReader.Read(file))
        )
            ArgumentException.ThrowIfNullOrWhiteSpace(document.Text);
    }

    private static byte[] Gzip(byte[] text)
    {
        using var bytes = new MemoryStream();
        using (var stream = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
            stream.Write(text);
        return bytes.ToArray();
    }

    private static byte[] Zstd(byte[] text)
    {
        using var compressor = new ZstdSharp.Compressor();
        return compressor.Wrap(text).ToArray();
    }

    private static IReadOnlyList<byte[]> Rows(string folder)
    {
        string path = Path.Combine(folder, "seed.parquet");
        Column[] columns = [new Column<long>("id"), new Column<string>("text")];
        using (var writer = new ParquetFileWriter(path, columns))
        using (var group = writer.AppendRowGroup())
        {
            using (var ids = group.NextColumn().LogicalWriter<long>())
                ids.WriteBatch([1, 2, 3]);
            using (var texts = group.NextColumn().LogicalWriter<string?>())
                texts.WriteBatch(["first", null, "third \u00fc"]);
            writer.Close();
        }
        return [File.ReadAllBytes(path)];
    }
}
