using System.Text;
using Uniscale.Corpus.Tests.Importing;

namespace Uniscale.Corpus.Tests.Reading.Web;

public sealed class StackExchangeTests : IDisposable
{
    private const string Posts = """
        <?xml version="1.0" encoding="utf-8"?>
        <posts>
          <row Id="1" PostTypeId="1" CreationDate="2010-01-01T00:00:00.000" Score="9" Title="How &amp; why?" Body="&lt;p&gt;First &lt;b&gt;question&lt;/b&gt; &amp;amp; more&lt;/p&gt;" />
          <row Id="2" PostTypeId="2" ParentId="1" Score="1" Body="&lt;p&gt;Low&lt;/p&gt;" />
          <row Id="3" PostTypeId="5" Score="0" Body="a wiki" />
          <row Id="200000" PostTypeId="1" Score="0" Title="Second" Body="&lt;pre&gt;a  b&lt;/pre&gt;" />
          <row Id="200001" PostTypeId="2" ParentId="1" Score="7" Body="&lt;p&gt;High&lt;/p&gt;" />
          <row Id="200002" PostTypeId="2" ParentId="77" Score="7" Body="&lt;p&gt;Orphan&lt;/p&gt;" />
        </posts>
        """;

    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_question_with_its_answers_by_score_is_a_document_wherever_they_stand()
    {
        (var report, var documents) = _folder.Read(_folder.Write("Posts.xml", Posts));
        Assert.Equal(["How & why?\n\nFirst question & more\n\nHigh\n\nLow", "Second\n\na  b"], documents.Select(document => document.Text));
        Assert.Equal(
            ("1", 9.0, "2010-01-01T00:00:00.000", "Posts.xml:1"),
            (documents[0].SourceId, documents[0].Score, documents[0].Date, documents[0].Source)
        );
        Assert.Equal(
            ["1 answers without a question", "1 posts that are neither question nor answer"],
            report.LeftOut.Select(entry => $"{entry.Value} {entry.Key}")
        );
        Assert.Equal("stackexchange", Assert.Single(report.Forms).Key);
    }

    [Fact]
    public void A_cut_or_damaged_file_is_left_out()
    {
        byte[] whole = Encoding.UTF8.GetBytes(Posts);
        _folder.AssertDamaged("Posts.xml", whole[..^12], "cannot be read");
        whole[300] = (byte)'<';
        _folder.AssertDamaged("Posts.xml", whole, "cannot be read");
        Assert.Empty(Directory.GetDirectories(_folder.PathOf("store"), ".work", SearchOption.AllDirectories));
    }
}
