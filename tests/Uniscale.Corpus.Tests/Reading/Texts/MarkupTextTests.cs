using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Tests.Reading.Texts;

public sealed class MarkupTextTests
{
    [Fact]
    public void Text_stays_and_markup_goes()
    {
        const string page = """
            <!DOCTYPE html><html><head><title>no</title><style>p { color: red }</style></head><body>
            <nav><a href="x">menu</a></nav><!-- a comment > here -->
            <h1 title="a > b">Heading</h1><p>First &amp; <b>bold</b>
            text &#8212; here.</p><script>if (a < b) { "</p>" }</script>
            <ul><li>one<li>two</ul><pre>  keep
              this</pre><p>1 < 2</p></body></html>
            """;
        Assert.Equal("Heading\n\nFirst & bold text — here.\n\none\ntwo\n\n  keep\n  this\n\n1 < 2", MarkupText.Extract(page));
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("<p>never closed", "never closed")]
    [InlineData("<script>never closed", "")]
    [InlineData("<p><![CDATA[a < b]]></p>", "a < b")]
    [InlineData("<head><title>t</title><body>seen", "seen")]
    [InlineData("a <!-- cut", "a")]
    [InlineData("<", "<")]
    [InlineData("", "")]
    public void Broken_markup_does_no_harm(string markup, string text) => Assert.Equal(text, MarkupText.Extract(markup));
}
