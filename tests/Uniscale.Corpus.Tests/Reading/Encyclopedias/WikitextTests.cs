using Uniscale.Corpus.Reading.Encyclopedias;

namespace Uniscale.Corpus.Tests.Reading.Encyclopedias;

/// <summary>What a page shows, after the published syntax (Help:Formatting, Help:Links, Help:Tables, Help:Templates).</summary>
public sealed class WikitextTests
{
    [Theory]
    [InlineData("'''Bold''', ''italic'' and '''''both''''', it''s", "Bold, italic and both, its")]
    [InlineData(
        "A [[page]], a [[Page (disambiguation)|label]], [[bus]]es, [[Help:Contents|]] and [[Boston, Massachusetts|]].",
        "A page, a label, buses, Contents and Boston."
    )]
    [InlineData("[[:Category:Living people]] [[Category:Living people]][[de:Seite]]x", "Category:Living people x")]
    [InlineData("[[File:A.jpg|thumb|a [[link]] in a caption]]text [[Datei:B.png]]end", "text end")]
    [InlineData("[[wikt:word|a word]] [[doi:10.1/2]]", "a word doi:10.1/2")]
    [InlineData(
        "See [https://a.example the site], [https://a.example] and https://a.example/x.",
        "See the site,  and https://a.example/x."
    )]
    [InlineData("{{Infobox\n| a = {{nested|{{deep}}}}\n| b = [[x]]\n}}Text{{cite}}.", "Text.")]
    [InlineData("{{{parameter|default}}}left", "left")]
    [InlineData("{{never closed", "{{never closed")]
    [InlineData("closed}} too often", "closed}} too often")]
    [InlineData("before\n{| class=\"wikitable\"\n! head\n|-\n| a || b\n{|\n| inner\n|}\n|}\nafter", "before\n\nafter")]
    [InlineData("a<ref>note {{cite}} [[x]]</ref> b<ref name=\"n\"/> c<!-- gone\n\nover lines -->d", "a b cd")]
    [InlineData("<nowiki>[[not a link]] &amp;</nowiki> &lt;tag&gt; a&nbsp;b", "[[not a link]] & <tag> a b")]
    [InlineData("<math>\\frac{a}{{b}}</math> is", "\\frac{a}{{b}} is")]
    [InlineData("<syntaxhighlight lang=\"c\">\nint a[[2]];\n  b;\n</syntaxhighlight>\nend", "int a[[2]];\n  b;\n\nend")]
    [InlineData("a<br/>b <span style=\"x\">c</span> 1 < 2 <i>d</i>", "a\nb c 1 < 2 d")]
    [InlineData("* one\n** two\n# three\n; term\n: meaning", "- one\n- two\n- three\nterm\nmeaning")]
    [InlineData(
        "lead\n== Heading ==\nwords\n=== Sub ===\nmore\n== References ==\n<references/>\n== Empty ==\n{{nav}}",
        "lead\n\nHeading\n\nwords\n\nSub\n\nmore"
    )]
    [InlineData("__NOTOC__text__forced lower__\n----\nend", "text__forced lower__\n\nend")]
    [InlineData("-{zh-hans:计算机; zh-hant:電腦;}-与-{软件}-，-{H|zh-cn:甲;zh-tw:乙}-完", "计算机与软件，完")]
    [InlineData("<gallery>\nA.jpg|x\n</gallery>text<poem>a\nb</poem>", "text\na\nb")]
    [InlineData("", "")]
    public void A_page_gives_the_words_that_it_shows(string wikitext, string text)
    {
        var site = new WikiSite { Language = "en" };
        site.Add(6, "Datei");
        site.Add(12, "Help");
        Assert.Equal(text, Wikitext.Extract(wikitext, site));
    }

    /// <summary>Brackets without end must not make the work grow with their square.</summary>
    [Theory]
    [InlineData("{{")]
    [InlineData("[[")]
    [InlineData("[[a|")]
    [InlineData("\n{|")]
    [InlineData("-{")]
    [InlineData("<ref>")]
    [InlineData("''")]
    public void Hostile_pages_end_in_time(string piece)
    {
        string page = string.Concat(Enumerable.Repeat(piece, 200_000 / piece.Length));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Wikitext.Extract(page, new WikiSite());
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 5);
    }
}
