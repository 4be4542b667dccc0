using Uniscale.Configuration;
using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

/// <summary>Rules on what a document's source said of it.</summary>
public sealed class OriginRuleTests
{
    [Theory]
    [InlineData("https://example.org/a", false)]
    [InlineData("http://www.Example.org:8080", false)]
    [InlineData("https://notexample.org/", true)]
    [InlineData("https://forum.site/threads/7?x=1", false)]
    [InlineData("https://forum.site/threadsafe", true)]
    [InlineData("https://forum.site/", true)]
    [InlineData(null, true)]
    public void Addresses_are_dropped_with_all_below_them(string? url, bool isKept)
    {
        var rule = new UrlRule(new UrlSection { Drop = ["example.org", "forum.site/threads"] });
        Assert.Equal(isKept, rule.Keeps(Document(url: url)));
        Assert.Equal(
            !isKept || url is null,
            new UrlRule(new UrlSection { Keep = ["example.org", "https://forum.site/threads/"] }).Keeps(Document(url: url))
        );
    }

    [Theory]
    [InlineData(0.5, true)]
    [InlineData(0.49, false)]
    [InlineData(0.91, false)]
    [InlineData(null, true)]
    public void Scores_have_bounds(double? score, bool isKept)
    {
        Assert.Equal(isKept, new ScoreRule(new ScoreSection { Min = 0.5, Max = 0.9 }).Keeps(Document(score: score)));
        Assert.Equal(
            isKept && score is not null,
            new ScoreRule(
                new ScoreSection
                {
                    Min = 0.5,
                    Max = 0.9,
                    DropUnknown = true,
                }
            ).Keeps(Document(score: score))
        );
    }

    [Theory]
    [InlineData("zho,eng", "zh")]
    [InlineData("en-US", "en")]
    [InlineData("cs", "cs")]
    [InlineData(null, "de")]
    public void A_declared_language_is_believed_where_one_says_so(string? declared, string language)
    {
        var document = Document(language: declared);
        Assert.True(new LanguageRule(new LanguageSection { Declared = true, Keep = [language] }).Keeps(document));
        Assert.Equal(language, document.ToStored().Language);
        new LanguageRule(new LanguageSection()).Keeps(document);
        Assert.Equal(("de", "u"), (document.ToStored().Language, document.ToStored().Url));
    }

    [Fact]
    public void Rules_without_settings_are_refused()
    {
        Assert.Throws<UserErrorException>(() => new UrlRule(new UrlSection()));
        Assert.Throws<UserErrorException>(() => new ScoreRule(new ScoreSection()));
    }

    private static CleaningDocument Document(string? url = "u", double? score = null, string? language = null) =>
        new CleaningDocument().Take(
            new StoredDocument("i", "s", "Das Haus ist nicht weit von der Stadt, und wir gehen mit den Kindern zu Fuß.", language)
            {
                Url = url,
                Score = score,
            }
        );
}
