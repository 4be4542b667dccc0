using System.Text;
using Uniscale.Corpus.Reading.Web;

namespace Uniscale.Corpus.Tests.Reading.Web;

public class WarcHeadersTests
{
    [Fact]
    public void A_field_is_found_by_its_name_in_any_case()
    {
        var headers = Of("WARC-Type:response\r\nwarc-target-uri :  https://a.example/é \r\nWARC-Date: x\r\n\r\n");
        Assert.True(headers.AreWhole);
        Assert.Equal("response", headers.Find("WARC-Type"));
        Assert.Equal("https://a.example/é", headers.Find("WARC-Target-URI"));
        Assert.Null(headers.Find("WARC-Target"));
        Assert.Null(headers.Find("https"));
    }

    [Fact]
    public void A_folded_field_goes_on_and_of_two_the_last_is_meant()
    {
        var headers = Of("A: first\n more\nB: b\nA: second\n\t and : more \r\n\r\n");
        Assert.True(headers.AreWhole);
        Assert.Equal("second and : more", headers.Find("a"));
        Assert.Equal("b", headers.Find("B"));
    }

    [Theory]
    [InlineData("A: a\r\nno field\r\n\r\n")]
    [InlineData(": a\r\n\r\n")]
    [InlineData(" goes on with nothing\r\n\r\n")]
    public void What_is_no_field_is_told(string lines) => Assert.False(Of(lines).AreWhole);

    [Fact]
    public void No_field_is_a_header_too()
    {
        var headers = Of("\r\n");
        Assert.True(headers.AreWhole);
        Assert.Null(headers.Find("A"));
    }

    private static WarcHeaders Of(string lines) => new(Encoding.UTF8.GetBytes(lines));
}
