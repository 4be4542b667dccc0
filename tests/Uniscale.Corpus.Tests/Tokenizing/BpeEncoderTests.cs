using System.Buffers;
using System.Text;
using Uniscale.Data;
using Uniscale.Data.Tests;

namespace Uniscale.Corpus.Tests;

/// <summary>
/// Our encoder and SentencePiece's, on the same texts: cuts of eight scripts and mixes of what is rare. UNISCALE_CUTS sets their number for
/// each model (nightly: 100000).
/// </summary>
public sealed class BpeEncoderTests : IDisposable
{
    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Theory]
    [InlineData("identity", true, false, true, false)]
    [InlineData("identity", false, false, true, false)]
    [InlineData("identity", true, false, false, false)]
    [InlineData("identity", true, true, true, true)]
    [InlineData("nmt_nfkc", true, true, true, false)]
    [InlineData("nmt_nfkc_cf", true, true, false, false)]
    [InlineData("nfkc", true, false, true, true)]
    [InlineData("nfkc_cf", false, true, true, false)]
    public void Tokens_are_sentencepieces_own(string normalizer, bool prefix, bool removes, bool bytes, bool suffix)
    {
        using var tokenizer = Train(normalizer, prefix, removes, bytes, suffix);
        var random = new Random(normalizer.Length + (prefix ? 1 : 0));
        string all = string.Concat(ForeignTexts.Scripts);
        var own = new ArrayBufferWriter<int>();
        var theirs = new ArrayBufferWriter<int>();
        for (int i = 0; i < ForeignTexts.Count; i++)
        {
            string text = i % 2 == 0 ? ForeignTexts.Cut(all, random) : ForeignTexts.Mix(random);
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            if (i % 50 == 7 && utf8.Length > 0)
                utf8[random.Next(utf8.Length)] = 0x9F; // no UTF-8 any more, mostly
            own.ResetWrittenCount();
            theirs.ResetWrittenCount();
            tokenizer.Encode(utf8, continues: false, own);
            if (utf8.Length > 0)
                tokenizer.EncodeByLibrary(utf8, theirs);
            Assert.True(own.WrittenSpan.SequenceEqual(theirs.WrittenSpan), $"text {i}: {Convert.ToHexString(utf8)}");
        }
    }

    [Fact]
    public void Long_words_and_long_texts_give_the_same_tokens_too()
    {
        using var tokenizer = Train("identity", true, false, true, false);
        string[] texts =
        [
            new('-', 100_001),
            new(' ', 50_000),
            string.Concat(Enumerable.Repeat(ForeignTexts.Scripts[1], 300)),
            string.Concat(Enumerable.Repeat("ing", 40_000)),
            string.Concat(Enumerable.Repeat(string.Concat(ForeignTexts.Scripts), 40)),
            new('\u4E8C', 5000),
        ];
        foreach (string text in texts)
        {
            var theirs = new ArrayBufferWriter<int>();
            tokenizer.EncodeByLibrary(Encoding.UTF8.GetBytes(text), theirs);
            Assert.Equal(theirs.WrittenSpan.ToArray(), tokenizer.Encode(text));
        }
    }

    [Fact]
    public void Nothing_is_allocated_once_the_buffers_have_grown()
    {
        using var tokenizer = Train("identity", true, false, true, false);
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(string.Concat(ForeignTexts.Scripts), 20)));
        var output = new ArrayBufferWriter<int>(4 * text.Length);
        tokenizer.Encode(text, continues: false, output);
        output.ResetWrittenCount();
        long before = GC.GetAllocatedBytesForCurrentThread();
        tokenizer.Encode(text, continues: false, output);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256);
    }

    [Fact]
    public void A_damaged_table_of_rewriting_is_refused()
    {
        using var tokenizer = Train("nmt_nfkc", true, true, true, false);
        byte[] model = File.ReadAllBytes(tokenizer.Path);
        var table = ModelFile.Read(model).Rewriting;
        int at = model.AsSpan().IndexOf(table.Span);
        for (int unit = 4; unit < 400; unit += 4)
            model[at + unit + 3] = 0x7F; // offsets far outside
        File.WriteAllBytes(_corpus.PathOf("damaged.model"), model);
        Assert.Contains(
            "rewrites characters",
            Assert.Throws<Configuration.UserErrorException>(() => Tokenizer.Load(_corpus.PathOf("damaged.model"))).Message,
            StringComparison.Ordinal
        );
    }

    private SentencePieceTokenizer Train(string normalizer, bool prefix, bool removes, bool bytes, bool suffix)
    {
        string text = _corpus.PathOf("text.txt"),
            model = _corpus.PathOf("m");
        File.WriteAllText(
            text,
            string.Join('\n', Enumerable.Repeat(string.Join('\n', ForeignTexts.Scripts), 3)) + SmallTokenizer.Text(200, seed: 8)
        );
        string[] options =
        [
            "input",
            text,
            "model_prefix",
            model,
            "model_type",
            "bpe",
            "vocab_size",
            "1200",
            "normalization_rule_name",
            normalizer,
            "add_dummy_prefix",
            Flag(prefix),
            "remove_extra_whitespaces",
            Flag(removes),
            "byte_fallback",
            Flag(bytes),
            "treat_whitespace_as_suffix",
            Flag(suffix),
            "user_defined_symbols",
            "<sym>,--,\u2581a",
            "allow_whitespace_only_pieces",
            Flag(!removes),
            "minloglevel",
            "2",
            "hard_vocab_limit",
            "false",
            "character_coverage",
            "0.99",
        ];
        byte[] error = new byte[512];
        Assert.True(SentencePieceLibrary.Train(options, options.Length / 2, error, error.Length) == 0, Encoding.UTF8.GetString(error));
        return (SentencePieceTokenizer)Tokenizer.Load(model + ".model");
    }

    private static string Flag(bool value) => value ? "true" : "false";
}
