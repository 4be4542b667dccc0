using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Tests.Reading.Texts;

public sealed class ManualTextTests
{
    [Fact]
    public void A_manual_page_reads_as_text()
    {
        const string page = """
            .\" a comment
            .TH LS 1 "2023"
            .SH NAME
            ls \- list directory contents
            .SH SYNOPSIS
            .B ls
            [\fIOPTION\fR]...
            .PP
            Does \fBnot\fP stop\(em ever.
            .nf
              a  b
              c
            .fi
            """;
        Assert.True(ManualText.IsManual(page));
        Assert.Equal(
            "NAME ls - list directory contents\n\nSYNOPSIS ls [OPTION]...\n\nDoes not stop— ever.\n  a  b\n  c",
            ManualText
                .Extract(page)
                .Replace("NAME\n\n", "NAME ", StringComparison.Ordinal)
                .Replace("SYNOPSIS\n\n", "SYNOPSIS ", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Macros_and_settings_at_the_beginning_are_no_text()
    {
        const string page =
            ".ss 12 0\n.nh\n.de Sp\n.if t .sp .5v\nnot this\n..\n.de1 X END\nnor this\n.END\n.ig\nnor that\n..\n.TH X 1\n.SH NAME\nx \\- does\n";
        Assert.True(ManualText.IsManual(page));
        Assert.Equal("NAME\n\nx - does", ManualText.Extract(page));
    }

    [Fact]
    public void Other_text_is_no_manual_page() => Assert.False(ManualText.IsManual("Hello.\n.hidden files\n"));
}
