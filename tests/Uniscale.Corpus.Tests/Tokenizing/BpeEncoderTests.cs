using System.Buffers;
using System.Globalization;
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
    private static readonly string[] Scripts =
    [
        "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.\n    for (int i = 0; i < 100; i++) { total += values[i]; } // --- \n",
        "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。语言模型的训练需要大量文本。",
        "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.",
        "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميرًا وعليهم أن يعامل بعضهم بعضًا بروح الإخاء.",
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है।",
        "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με λογική και συνείδηση.",
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았다.",
        "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ",
    ];

    private static readonly string[] Rare =
    [
        " ",
        "  ",
        "    ",
        "\n",
        "\n\n",
        "\t",
        "---",
        "-----",
        "aaaa",
        "\u2581",
        "\u2581\u2581",
        "\u3000",
        "e\u0301",
        "\uFB01",
        "\uFF21\uFF22",
        "\u00A0",
        "<sym>",
        "<sy",
        "<<sym>>",
        "a b",
        "7",
        "2026",
        "\u0001",
        "\0",
        "\r\n",
        "\U0001F642",
        "\U0001F468\u200D\U0001F469",
        "\uFFFD",
        "\u00AD",
        "\u200B",
        "\u2028",
        "\uFEFF",
        "\u2460",
        "\u32C0",
        "\u1E9B\u0323",
        "ÅÄ",
        "İ",
        "ß",
        "the",
        "ing",
        "rights",
        "模型",
        "训",
        "자",
        "्",
        "ἄ",
        "\U00020000",
        "=====",
        "::",
        "//",
        "```",
    ];

    private readonly ShardFolder _corpus = new();

    private static int Cuts => int.Parse(Environment.GetEnvironmentVariable("UNISCALE_CUTS") ?? "1500", CultureInfo.InvariantCulture);

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
        string all = string.Concat(Scripts);
        var own = new ArrayBufferWriter<int>();
        var theirs = new ArrayBufferWriter<int>();
        for (int i = 0; i < Cuts; i++)
        {
            string text = i % 2 == 0 ? Cut(all, random) : Mix(random);
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
            string.Concat(Enumerable.Repeat(Scripts[1], 300)),
            string.Concat(Enumerable.Repeat("ing", 40_000)),
            string.Concat(Enumerable.Repeat(string.Concat(Scripts), 40)),
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
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(string.Concat(Scripts), 20)));
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

    private Tokenizer Train(string normalizer, bool prefix, bool removes, bool bytes, bool suffix)
    {
        string text = _corpus.PathOf("text.txt"),
            model = _corpus.PathOf("m");
        File.WriteAllText(text, string.Join('\n', Enumerable.Repeat(string.Join('\n', Scripts), 3)) + SmallTokenizer.Text(200, seed: 8));
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
        return Tokenizer.Load(model + ".model");
    }

    private static string Cut(string text, Random random)
    {
        int from = random.Next(text.Length),
            length = random.Next(Math.Min(300, text.Length - from)) + 1;
        return text.Substring(from, length);
    }

    private static string Mix(Random random)
    {
        var text = new StringBuilder();
        for (int pieces = random.Next(30); pieces >= 0; pieces--)
        {
            string piece = Rare[random.Next(Rare.Length)];
            for (int times = random.Next(5) == 0 ? random.Next(12) : 1; times > 0; times--)
                text.Append(piece);
            if (random.Next(4) == 0)
                text.Append(Cut(Scripts[random.Next(Scripts.Length)], random).AsSpan(0, 1));
        }
        return text.ToString();
    }

    private static string Flag(bool value) => value ? "true" : "false";
}
