using System.Globalization;
using System.Text;

namespace Uniscale.Corpus.Tests;

/// <summary>Texts on which encoders are compared: cuts of eight scripts and mixes of what is rare.</summary>
internal static class ForeignTexts
{
    public static readonly string[] Scripts =
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

    public static readonly string[] Rare =
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
        "'s",
        "'ſ",
        "'LL",
        "½",
        "Ⅷ",
        "1234567",
        "\u0344",
        "\u0323\u0301",
        "\u1100\u1161\u11A8",
        "camelCaseHTTP",
        "<|endoftext|>",
        "<tool>",
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

    /// <summary>Number of texts for each model: UNISCALE_CUTS, 100000 every night.</summary>
    public static int Count => int.Parse(Environment.GetEnvironmentVariable("UNISCALE_CUTS") ?? "1500", CultureInfo.InvariantCulture);

    public static string Cut(string text, Random random)
    {
        int from = random.Next(text.Length),
            length = random.Next(Math.Min(300, text.Length - from)) + 1;
        return text.Substring(from, length);
    }

    public static string Mix(Random random)
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
}
