using System.Text;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Tests.Reading.Texts;

public class Utf8TextTests
{
    [Theory]
    [InlineData("")]
    [InlineData(" \t\r\n\v\f")]
    [InlineData("\u0085\u00A0\u1680\u2003\u2028\u2029\u202F\u205F\u3000")]
    [InlineData("\u3000a")]
    [InlineData("\0")]
    [InlineData("\u200B")] // a space in name alone
    [InlineData("\uFEFF")]
    [InlineData("😀")]
    public void A_text_is_blank_where_a_string_is(string text) =>
        Assert.Equal(string.IsNullOrWhiteSpace(text), Utf8Text.IsBlank(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void Line_ends_and_NUL_are_replaced_as_in_a_string()
    {
        var random = new Random(1);
        string[] pieces = ["\r", "\n", "\0", "\r\n", "a", "中文", "😀"];
        for (int i = 0; i < 2000; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(8)).Select(_ => pieces[random.Next(pieces.Length)]));
            string wanted = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\0", "", StringComparison.Ordinal);
            Assert.Equal(wanted, Encoding.UTF8.GetString(Utf8Text.WithoutControls(Encoding.UTF8.GetBytes(text)).Span));
        }
    }

    [Fact]
    public void What_needs_no_change_stays_where_it_is()
    {
        byte[] text = "one\ntwo\rthree"u8.ToArray();
        Assert.True(Utf8Text.WithoutControls(text).Span == text);
    }
}
