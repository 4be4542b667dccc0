using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Corpus.Tests;

/// <summary>
/// tokenizer.json of byte-level BPE, in the forms of published models over a made vocabulary: ids that Hugging Face's tokenizers 0.23.2
/// gave (Goldens/tokenizers.mjs), and the same on cuts and mixes where TOKENIZERS_FOLDER names a folder in which npm has installed it.
/// </summary>
public sealed class ByteLevelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("byte-level-").FullName;

    public static TheoryData<string> Forms => [.. TokenizerForms.Names];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Forms))]
    public void Ids_are_the_librarys_own(string form)
    {
        using var tokenizer = Load(TokenizerForms.Of(form));
        var golden = TokenizerForms.Goldens["forms"]![form]!;
        string[] texts = [.. TokenizerForms.Goldens["texts"]!.AsArray().Select(text => (string)text!)];
        bool isKept =
            form is not ("lower case" or "removed" or "inverted" or "qwen2" or "neox" or "gpt2 with a space in front")
            && !form.StartsWith("unknown", StringComparison.Ordinal);
        for (int i = 0; i < texts.Length; i++)
        {
            int[] plain = Ids(golden["plain"]![i]!),
                special = golden["special"]![i] is { } ids ? Ids(ids) : plain;
            Assert.True(plain.SequenceEqual(tokenizer.Encode(texts[i])), $"{form}, text {i}: {texts[i]}");
            Assert.True(special.SequenceEqual(tokenizer.EncodeWithSpecials(texts[i])), $"{form}, text {i} with marks: {texts[i]}");
            if (isKept)
                Assert.Equal(texts[i], tokenizer.Decode(plain));
        }
    }

    /// <summary>For every night: scripts/check-tokenizers.sh.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void Cuts_and_mixes_have_the_librarys_ids(string form)
    {
        Assert.SkipWhen(
            Environment.GetEnvironmentVariable("TOKENIZERS_FOLDER") is null,
            "scripts/check-tokenizers.sh installs the library"
        );
        using var tokenizer = Load(TokenizerForms.Of(form));
        var random = new Random(form.Length);
        string all = string.Concat(ForeignTexts.Scripts);
        string[] texts =
        [
            .. Enumerable
                .Range(0, ForeignTexts.Count)
                .Select(i => i % 2 == 0 ? ForeignTexts.Cut(all, random) : ForeignTexts.Mix(random))
                .Select(text => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text))), // no half characters
        ];
        string list = Path.Combine(_folder, "texts"),
            ids = Path.Combine(_folder, "ids");
        File.WriteAllLines(list, texts.Select(text => JsonSerializer.Serialize(text)));
        string script = Repository.PathOf("tests/Uniscale.Corpus.Tests/Goldens/tokenizers.mjs");
        using (var node = Process.Start("node", [script, "encode", tokenizer.Path, list, ids]))
        {
            node.WaitForExit();
            Assert.Equal(0, node.ExitCode);
        }
        int i = 0;
        foreach (string line in File.ReadLines(ids))
        {
            int[] theirs = JsonSerializer.Deserialize<int[]>(line)!;
            Assert.True(theirs.SequenceEqual(tokenizer.EncodeWithSpecials(texts[i])), $"{form}: {JsonSerializer.Serialize(texts[i])}");
            i++;
        }
        Assert.Equal(texts.Length, i);
    }

    [Fact]
    public void Nothing_is_allocated_once_the_buffers_have_grown()
    {
        using var tokenizer = Load(TokenizerForms.Of("o200k"));
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(string.Concat(ForeignTexts.Scripts), 20)));
        var output = new ArrayBufferWriter<int>(4 * text.Length);
        tokenizer.Encode(text, continues: false, output);
        output.ResetWrittenCount();
        long before = GC.GetAllocatedBytesForCurrentThread();
        tokenizer.Encode(text, continues: false, output);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256);
    }

    [Fact]
    public void Long_words_end_and_bytes_that_are_no_text_become_its_sign()
    {
        using var tokenizer = Load(TokenizerForms.Of("llama3"));
        foreach (string text in (string[])[new('a', 300_000), new(' ', 300_000), new('\u0301', 100_000), new('-', 300_001)])
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        using var composing = Load(TokenizerForms.Of("qwen2"));
        Assert.Equal(100_000, composing.Decode(composing.Encode(string.Concat(Enumerable.Repeat("\u0301\u0323", 50_000)))).Length);
        var tokens = new ArrayBufferWriter<int>();
        tokenizer.Encode([(byte)'a', 0xFF, 0xC3, (byte)'b'], continues: false, tokens);
        Assert.Equal("a\uFFFD\uFFFDb", tokenizer.Decode(tokens.WrittenSpan));
    }

    [Fact]
    public void Special_tokens_are_named_by_the_file_beside_the_model_or_by_their_usual_names()
    {
        var model = TokenizerForms.Of("llama3");
        using (var alone = Load(model))
        {
            Assert.Equal("<|begin_of_text|>", alone.PieceOf(alone.BeginId).Text);
            Assert.Equal("<|endoftext|>", alone.PieceOf(alone.EndId).Text);
            Assert.Equal((-1, -1), (alone.PaddingId, alone.UnknownId));
            Assert.Equal(PieceKind.Control, alone.PieceOf(alone.EndId).Kind);
            Assert.Equal("", alone.Decode([alone.BeginId, alone.EndId]));
            Assert.Equal(
                (0, 1, 2),
                (alone.ByteLengths()[alone.EndId], alone.ByteLengths()[alone.IdOf("Ġ")], alone.ByteLengths()[alone.IdOf("Ġa")])
            );
        }
        File.WriteAllText(
            Path.Combine(_folder, "tokenizer_config.json"),
            """{"bos_token": null, "eos_token": {"content": "<|begin_of_text|>", "special": true}, "pad_token": "<|endoftext|>"}"""
        );
        using var configured = Load(model);
        Assert.Equal("<|begin_of_text|>", configured.PieceOf(configured.EndId).Text);
        Assert.Equal("<|endoftext|>", configured.PieceOf(configured.PaddingId).Text);
        string copies = Directory.CreateDirectory(Path.Combine(_folder, "run")).FullName;
        File.WriteAllText(Path.Combine(copies, "tokenizer.model"), "of another run");
        using var copied = Tokenizer.Load(TokenizerFiles.Copy(configured.Path, copies));
        Assert.Equal(configured.Fingerprint, copied.Fingerprint);
        Assert.Equal(copied.Path, TokenizerFiles.Find(copies));
    }

    [Theory]
    [InlineData("""{"model": {"type": "Unigram"}}""", "the model Unigram")]
    [InlineData("""{"model": {"dropout": 0.1}}""", "dropout of merges")]
    [InlineData("""{"model": {"end_of_word_suffix": "</w>"}}""", "end_of_word_suffix '</w>'")]
    [InlineData("""{"model": {"continuing_subword_prefix": "##"}}""", "continuing_subword_prefix '##'")]
    [InlineData("""{"model": {"merges": ["a b c"]}}""", "the merge 'a b c', which is no pair")]
    [InlineData("""{"model": {"merges": [["a", "zzz"]]}}""", "merge 1 is of 'zzz', which the vocabulary lacks")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": []}}""", "without the byte 0x00")]
    [InlineData("""{"model": {"vocab": {"a": 99999999}}}""", "the number 99999999 of the token 'a'")]
    [InlineData("""{"model": {"unk_token": "<?>"}}""", "the unknown token '<?>'")]
    [InlineData("""{"truncation": {"max_length": 512}}""", "truncation of every text")]
    [InlineData("""{"normalizer": {"type": "NFKC"}}""", "the normalizer NFKC")]
    [InlineData("""{"normalizer": {"type": "Sequence", "normalizers": [{"type": "StripAccents"}]}}""", "the normalizer StripAccents")]
    [InlineData("""{"pre_tokenizer": {"type": "Metaspace"}}""", "the pre-tokenizer Metaspace")]
    [InlineData("""{"pre_tokenizer": null}""", "no pre-tokenizer ByteLevel")]
    [InlineData("""{"pre_tokenizer": null, "model": {"byte_fallback": true}}""", "give its tokenizer.model")]
    [InlineData("""{"post_processor": {"type": "Other"}}""", "the post-processor Other")]
    [InlineData("""{"decoder": {"type": "WordPiece"}}""", "the decoder WordPiece")]
    [InlineData("""{"added_tokens": [{"id": 5, "content": "<x>"}]}""", "the number 5 of the added token '<x>'")]
    [InlineData("""{"added_tokens": [{"id": 0, "content": "!", "single_word": true}]}""", "single_word of the added token '!'")]
    [InlineData("""{"version": "2.0"}""", "version 2.0")]
    [InlineData("""{"model": 7}""", "no vocabulary")]
    public void What_is_not_done_is_refused_by_its_name(string change, string message)
    {
        var model = TokenizerForms.Of("gpt2");
        foreach ((string name, var value) in JsonNode.Parse(change)!.AsObject())
        {
            if (name == "model" && value is JsonObject fields)
                foreach ((string field, var changed) in fields)
                    model["model"]![field] = changed?.DeepClone();
            else
                model[name] = value?.DeepClone();
        }
        Assert.Contains(message, Assert.Throws<UserErrorException>(() => Load(model)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(@"\w+", @"'\w'")]
    [InlineData(@"\bx", @"'\b'")]
    [InlineData(@"\p{Han}+", @"'\p{Han}'")]
    [InlineData(@"(ab)+", "a group that is repeated")]
    [InlineData(@"a*", "a match of no characters")]
    [InlineData(@"(?i:é)", "(?i) over more than letters of ASCII")]
    [InlineData(@"(?i:fine)", "'fi' without case")]
    [InlineData(@"(?<=ab)c", "a look behind at more than one character")]
    [InlineData(@"(?>a)", "a group of the kind '(?>a'")]
    [InlineData(@"[a-z&&[^b]]", "'&&' in a set")]
    [InlineData(@"a{1,3}+", "'{n,m}+'")]
    [InlineData(@"(a", "a '(' that is not closed")]
    [InlineData(@"a)", "a ')' that closes nothing")]
    [InlineData(@"[a", "an end within")]
    [InlineData(@"[z-a]", "a range in a set")]
    [InlineData(@"\x{110000}", "'110000' as the number of a character")]
    public void Patterns_that_are_not_understood_are_refused(string pattern, string message)
    {
        var model = TokenizerForms.Of("gpt2");
        var step = new JsonObject
        {
            ["type"] = "Split",
            ["pattern"] = new JsonObject { ["Regex"] = pattern },
            ["behavior"] = "Isolated",
        };
        model["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(step, model["pre_tokenizer"]!.DeepClone()),
        };
        Assert.Contains(message, Assert.Throws<UserErrorException>(() => Load(model)).Message, StringComparison.Ordinal);
    }

    private static int[] Ids(JsonNode ids) => [.. ids.AsArray().Select(id => (int)id!)];

    private Tokenizer Load(JsonObject model) => Tokenizer.Load(TokenizerForms.Write(model, _folder));
}
