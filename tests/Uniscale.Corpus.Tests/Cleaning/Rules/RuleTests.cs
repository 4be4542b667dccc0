using Uniscale.Configuration;
using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

/// <summary>Each rule that judges a document by itself has a text that it keeps and one, as near to it as can be, that it drops.</summary>
public sealed class RuleTests : IDisposable
{
    private static readonly string Prose = CleaningFolder.Prose(1, 200);

    private readonly CleaningFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Language() =>
        Check(
            new LanguageSection { Keep = ["en"] },
            "This is the house that was built for them in the city.",
            "这是一座为他们建造的房子。"
        );

    [Fact]
    public void Language_is_written_into_the_document()
    {
        var document = new CleaningDocument().Take(new StoredDocument("1", "a", "这是一座为他们建造的房子。"));
        Assert.True(Rule(new LanguageSection()).Keeps(document));
        Assert.Equal("zh", document.ToStored().Language);
    }

    [Fact]
    public void Length_in_characters() =>
        Check(new LengthSection { MinCharacters = 10, MaxCharacters = 12 }, "ten or so..", "too short", "this is too long");

    /// <summary>A Chinese character has three bytes.</summary>
    [Fact]
    public void Length_in_bytes() => Check(new LengthSection { MinBytes = 6, MaxBytes = 8 }, "长文", "short", "nine byte");

    [Fact]
    public void Connectives()
    {
        Check(
            new ConnectivesSection { Min = 0.1 },
            "It rained. As a result, we stayed in the house.",
            "It rained. The result: we stayed in the house."
        );
        Check(new ConnectivesSection { Min = 0.1 }, "下雨了，因此不去。", "下雨了，今天不去。");
        Check(
            new ConnectivesSection
            {
                Min = 0.1,
                BuiltIn = false,
                Words = ["ergo"],
            },
            "Cogito, ergo sum.",
            "Cogito, therefore sum."
        );
    }

    [Fact]
    public void Length_in_words() =>
        Check(
            new LengthSection { MinWords = 4, MaxMeanWord = 6 },
            "four words of text",
            "three words here",
            "this internationalization incomprehensibility counts",
            "四个字".Remove(2)
        );

    [Fact]
    public void Symbols() => Check(new SymbolsSection { Max = 0.1 }, "Ten letters, (and) \"punctuation\"!", "a = b | c ^ d & e");

    /// <summary>A sentence or two in the world's scripts; vowel signs, joiners and their punctuation are text.</summary>
    [Theory]
    [InlineData("हिन्दी भाषा में लिखा हुआ एक वाक्य, जिसमें कई मात्राएँ हैं। यह दूसरा वाक्य है।")]
    [InlineData("বাংলা ভাষায় লেখা একটি বাক্য যেখানে অনেক চিহ্ন আছে।")]
    [InlineData("தமிழ் மொழியில் எழுதப்பட்ட ஒரு வாக்கியம் இங்கே உள்ளது.")]
    [InlineData("ภาษาไทยเขียนติดกันไม่มีช่องว่างระหว่างคำในประโยคนี้")]
    [InlineData("ប្រយោគនេះសរសេរជាភាសាខ្មែរដោយមិនមានចន្លោះ។")]
    [InlineData("ဤစာကြောင်းသည် မြန်မာဘာသာဖြင့် ရေးထားသည်။")]
    [InlineData("هٰذِهِ جُمْلَةٌ مَكْتُوبَةٌ بِالعَرَبِيَّةِ مَعَ الحَرَكَاتِ، أَلَيْسَ كَذٰلِكَ؟")]
    [InlineData("זֶה מִשְׁפָּט בְּעִבְרִית עִם נִקּוּד.")]
    [InlineData("ይህ በአማርኛ የተጻፈ ዓረፍተ ነገር ነው።")]
    [InlineData("Đây là một câu tiếng Việt viết bằng dấu rời.")]
    [InlineData("བོད་ཡིག་གི་ཚིག་གྲུབ་འདི་ཡིན།")]
    [InlineData("𠀀𠀁𠀂是少见的汉字，也是文字。")]
    [InlineData("𞤀𞤁𞤂 𞤃𞤄𞤅 𞤆𞤇𞤈 𞤉𞤊𞤋")]
    public void Text_of_every_script_is_words_and_no_symbols(string text)
    {
        Assert.True(Rule(new SymbolsSection { Max = 0.02 }).Keeps(Document(text)), "symbols");
        Assert.True(
            Rule(new LengthSection { MinWords = 3, MaxMeanWord = 12 }).Keeps(Document(text.Normalize(System.Text.NormalizationForm.FormC))),
            "words"
        );
    }

    [Fact]
    public void Pictures_are_symbols() =>
        Check(new SymbolsSection { Max = 0.2 }, "Seven letters and one \U0001F642", "\U0001F642\U0001F643\U0001F644 no");

    [Fact]
    public void Vowel_signs_cut_no_word()
    {
        Assert.Equal(2, Document("हिन्दी भाषा").Words.Length);
        Assert.Equal(3, Document("是\U00020000a").Words.Length);
        Assert.Equal(2, Document("e\u0301te\u0301 \U00010428\U00010429").Words.Length);
        Assert.Equal(
            ["ก็", "ดี"],
            Document("ก็ดี").Words.ToArray().Where(word => word.Length > 1).Select(word => "ก็ดี".Substring(word.Start, word.Length))
        );
    }

    [Fact]
    public void Digits() => Check(new DigitsSection { Max = 0.2 }, "In the year 1999 we met again", "1 2 3 4 is the count");

    [Fact]
    public void Repeated_lines() =>
        Check(new RepeatedLinesSection { MaxLines = 0.3, MaxCharacters = 1 }, "a\nb\nc\na\n\n\n\n", "a\nb\na\n b ");

    [Fact]
    public void Repeated_lines_by_characters() =>
        Check(
            new RepeatedLinesSection { MaxLines = 1, MaxCharacters = 0.2 },
            "a\na\na long line that stands alone",
            "long line\nlong line\na\nb\nc\nd\ne"
        );

    [Fact]
    public void Most_frequent_words() =>
        Check(
            new RepeatedNgramsSection
            {
                MinWords = 10,
                MaxTop = Bound("2", 0.2),
                MaxRepeated = Bound("5", 1),
            },
            Prose,
            string.Join(' ', Enumerable.Range(0, 20).Select(i => $"buy now w{i} v{i}"))
        );

    [Fact]
    public void Repeated_words() =>
        Check(
            new RepeatedNgramsSection
            {
                MinWords = 10,
                MaxTop = Bound("2", 1),
                MaxRepeated = Bound("5", 0.15),
            },
            Prose,
            Prose + " and " + Prose[..(Prose.Length / 4)]
        );

    /// <summary>"在…系统中" and such are four characters that all texts repeat; whole phrases are not.</summary>
    [Fact]
    public void Two_characters_of_Chinese_are_a_word()
    {
        var section = new RepeatedNgramsSection
        {
            MinWords = 10,
            MaxTop = Bound("2", 1),
            MaxRepeated = Bound("3", 0.15),
        };
        string[] words = [.. Enumerable.Range(0, 40).Select(i => $"{(char)(0x5000 + (7 * i))}{(char)(0x6000 + (5 * i))}")];
        Check(
            section,
            string.Concat(words.Select((word, i) => i % 4 == 3 ? "系统中" : word)),
            string.Concat(words.Select((word, i) => i % 4 == 3 ? "操作系统环境下运行" : word))
        );
    }

    [Fact]
    public void Few_words_may_repeat() => Check(new RepeatedNgramsSection { MinWords = 50 }, "no no no no no no no no no no no");

    [Fact]
    public void Mojibake() =>
        Check(
            new MojibakeSection { Max = 0.01 },
            "Âme, château, naïve: the accents of French are no mistake; 锟 alone is none.",
            "the caf\uFFFD",
            "dÃ©jÃ  vu",
            "itâ€™s",
            "锟斤拷锟斤拷",
            "\u0093quoted\u0094"
        );

    [Fact]
    public void Block_list_finds_whole_words_in_any_case()
    {
        File.WriteAllText(_folder.PathOf("list.txt"), "# comment\ncasino bonus\n赌场\n");
        Check(
            new BlockListSection { Words = ["ass"], Lists = [_folder.PathOf("list.txt")] },
            "a class about the casino",
            "an ASS",
            "a Casino-Bonus for you",
            "网上赌场开业"
        );
    }

    [Fact]
    public void Block_list_may_allow_some() => Check(new BlockListSection { Words = ["bad"], MaxHits = 2 }, "bad bad good", "bad bad bad");

    [Fact]
    public void Boilerplate_lines_are_removed_and_pages_of_nothing_else_dropped()
    {
        var section = new BoilerplateSection { Phrases = ["Site map"], MaxRemoved = 0.5 };
        var document = Document(
            "First paragraph of a page.\nCopyright © 2020 by us. All rights reserved.\nSITE MAP\nThe last paragraph of the page is longer.\n"
        );
        Assert.True(Rule(section).Keeps(document));
        Assert.Equal("First paragraph of a page.\nThe last paragraph of the page is longer.\n", document.Text);
        Assert.False(Rule(section).Keeps(Document("Short\nAll rights reserved.\nPrivacy Policy, terms of use")));
        Assert.True(Rule(section with { BuiltIn = false }).Keeps(Document("Short\nAll rights reserved.\nPrivacy Policy, terms of use")));
    }

    [Fact]
    public void Contamination()
    {
        File.WriteAllText(
            _folder.PathOf("evaluation.jsonl"),
            "{\"text\": \"Which of the following planets is the nearest to the sun?\"}\n"
        );
        var section = new ContaminationSection { Evaluation = [_folder.PathOf("evaluation.jsonl")], Ngram = 8 };
        Check(
            section,
            "Which of the following planets is the farthest from the sun?",
            "Asked: which of the following planets is the NEAREST, they said"
        );
        Check(section with { MaxShare = 0.5 }, "Asked: which of the following planets is the NEAREST, they said");
    }

    [Fact]
    public void Quality()
    {
        File.WriteAllText(
            _folder.PathOf("gold.txt"),
            string.Join('\n', Enumerable.Range(10, 40).Select(seed => CleaningFolder.Prose(seed, 300)))
        );
        Check(
            new QualitySection { Gold = [_folder.PathOf("gold.txt")], MaxBits = Bound("en", 3.5) },
            Prose,
            "the xqzj of vkkq and zzxw to pfft in qqjx is wyvern that jrrk for hmmm with tsktsk was psst"
        );
    }

    public static TheoryData<RuleSection, string> Mistakes() =>
        new()
        {
            {
                new LanguageSection { Keep = ["english"] },
                "'english', which is no language"
            },
            { new BlockListSection(), "has no words" },
            {
                new BlockListSection { Lists = ["nowhere.txt"] },
                "nowhere.txt does not exist"
            },
            { new ContaminationSection(), "finds no 13 words in a row" },
            {
                new ContaminationSection { Evaluation = ["nowhere.jsonl"] },
                "nowhere.jsonl does not exist"
            },
            {
                new RepeatedNgramsSection { MaxTop = Bound("two", 0.2) },
                "'two' words in max_top"
            },
            { new QualitySection(), "judges no language" },
            {
                new QualitySection { MaxBits = Bound("en", 3) },
                "gold text holds none"
            },
        };

    [Theory, MemberData(nameof(Mistakes))]
    public void A_rule_that_cannot_work_says_why(RuleSection section, string expected) =>
        Assert.Contains(expected, Assert.Throws<UserErrorException>(() => Step.Of(section)).Message);

    private static void Check(RuleSection section, string kept, params string[] dropped)
    {
        Assert.True(Rule(section).Keeps(Document(kept)), $"{kept} was dropped");
        foreach (string text in dropped)
            Assert.False(Rule(section).Keeps(Document(text)), $"{text} was kept");
    }

    private static IDocumentRule Rule(RuleSection section) => Step.Of(section).Alone!;

    private static CleaningDocument Document(string text) => new CleaningDocument().Take(new StoredDocument("id", "source", text));

    private static Dictionary<string, double> Bound(string key, double value) => new() { [key] = value };
}
