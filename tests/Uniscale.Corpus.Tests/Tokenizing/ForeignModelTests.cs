using System.Text;
using Uniscale.Data;
using Uniscale.Data.Tests;

namespace Uniscale.Corpus.Tests;

/// <summary>
/// Models of every kind give the pieces that SentencePiece gives for a whole text, whatever the text and however it comes in parts.
/// </summary>
public sealed class ForeignModelTests : IDisposable
{
    private static readonly string[] Mix =
    [
        "the",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "---",
        "aaaa",
        "\u2581",
        "\u3000",
        "e\u0301",
        "\uFB01",
        "\uFF21",
        "\u6A21\u578B",
        "\u0939\u093F\u0928\u094D\u0926\u0940",
        "\U0001F642",
        "\r\n",
        "\u00A0",
        "<sym>",
        "7",
        "\u0001",
        "training",
    ];

    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Theory]
    [InlineData("bpe", "identity", true, false, true)]
    [InlineData("bpe", "identity", false, false, true)]
    [InlineData("bpe", "identity", true, false, false)]
    [InlineData("bpe", "nmt_nfkc", true, true, true)]
    [InlineData("bpe", "nmt_nfkc", true, true, false)]
    [InlineData("unigram", "nmt_nfkc", true, true, true)]
    [InlineData("unigram", "identity", false, false, false)]
    public async Task Pieces_are_those_of_the_whole_text(string type, string normalizer, bool prefix, bool removes, bool bytes)
    {
        string text = _corpus.PathOf("text.txt"),
            model = _corpus.PathOf("m");
        File.WriteAllText(text, SmallTokenizer.Text(300, seed: 8) + string.Join("\n", Enumerable.Range(0, 20).Select(i => Random(40, i))));
        string[] options =
        [
            "input",
            text,
            "model_prefix",
            model,
            "model_type",
            type,
            "vocab_size",
            "600",
            "normalization_rule_name",
            normalizer,
            "add_dummy_prefix",
            Flag(prefix),
            "remove_extra_whitespaces",
            Flag(removes),
            "byte_fallback",
            Flag(bytes),
            "user_defined_symbols",
            "<sym>,--",
            "minloglevel",
            "2",
            "hard_vocab_limit",
            "false",
        ];
        byte[] error = new byte[512];
        Assert.True(SentencePieceLibrary.Train(options, options.Length / 2, error, error.Length) == 0, Encoding.UTF8.GetString(error));
        using var tokenizer = Tokenizer.Load(model + ".model");
        for (int seed = 0; seed < (Nightly.Is ? 60 : 30); seed++)
        {
            string mixed =
                Random(1 + (seed * seed), seed) + (seed % 3 == 0 ? string.Join(' ', Enumerable.Repeat("language models", seed * 100)) : "");
            Assert.Equal(WholeText.Encode(tokenizer.Path, mixed), tokenizer.Encode(mixed));
        }
        string path = _corpus.PathOf("long.txt"),
            whole = string.Join(' ', Enumerable.Repeat("language models", 10_000)) + Random(15_000, 99);
        File.WriteAllText(path, whole);
        await new ShardTokenizer(tokenizer, 2).RunAsync(DocumentReader.Read(path, tokenizer), _corpus.PathOf("long"));
        Assert.Equal(
            [.. WholeText.Encode(tokenizer.Path, whole).Select(token => (long)token), tokenizer.EndId],
            Assert.Single(PlainReader.Documents(_corpus.PathOf("long.train")))
        );
    }

    private static string Random(int pieces, int seed)
    {
        var random = new Random(seed);
        var text = new StringBuilder();
        for (int i = 0; i < pieces; i++)
            text.Append(Mix[random.Next(Mix.Length)]);
        return text.ToString();
    }

    private static string Flag(bool value) => value ? "true" : "false";
}
