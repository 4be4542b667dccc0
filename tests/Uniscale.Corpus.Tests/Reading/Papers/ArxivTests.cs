using System.Text;
using Uniscale.Corpus.Reading;
using Uniscale.Corpus.Tests.Importing;
using Uniscale.Corpus.Tests.Reading.Archives;

namespace Uniscale.Corpus.Tests.Reading.Papers;

public sealed class ArxivTests : IDisposable
{
    private const string Main = """
        % a comment
        \documentclass[12pt]{article}
        \usepackage{x}
        \title{On {Nested} Titles} % ours
        \newcommand{\secret}{no}
        \begin{document}
        \maketitle
        Ten 10\% of it. % gone
        \input{sections/intro}

        %
        % all gone

        \begin{comment}
        not this
        \end{comment}
        \include{end}
        \bibliographystyle{plain}
        \bibliography{refs}
        \end{document}
        behind
        """;

    private const string Intro = "\\section{Intro}\r\nWords \\\\% cut\r\n\\input{main}";
    private const string Paper = "\\title{On {Nested} Titles}\n\n\\maketitle\nTen 10\\% of it. \n\\section{Intro}\nWords \\\\\n\n\nEnd.";

    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_paper_is_its_main_file_with_what_it_inputs_and_nothing_besides()
    {
        byte[] tar = ArchiveTests.Tar(
            ("main.tex", Encoding.UTF8.GetBytes(Main)),
            ("sections/intro.tex", Encoding.UTF8.GetBytes(Intro)),
            ("end.tex", "End."u8.ToArray()),
            ("figure.eps", [0, 1, 2]),
            ("refs.bib", "@a{b}"u8.ToArray())
        );
        (var report, var documents) = _folder.Read(_folder.Write("2101.00001v2.gz", ImportFolder.Gzip(tar)));
        Assert.Equal(Normal(Paper), Normal(Assert.Single(documents).Text));
        Assert.Equal(("2101.00001v2", "gzip arxiv"), (documents[0].SourceId, Assert.Single(report.Forms).Key));
        _folder.AssertDamaged("2101.00001.gz", ImportFolder.Gzip(tar)[..^30], "gzip");
        _folder.AssertDamaged("2101.00002.gz", ImportFolder.Gzip(tar.AsSpan()[..1200]), "");
    }

    [Fact]
    public void A_single_file_and_a_tar_of_many_papers_are_known_by_name_and_content()
    {
        byte[] single = ImportFolder.Gzip(
            "\\documentstyle{article}\n\\begin{document}\nOld paper.\n\\begin{thebibliography}{9}\n\\bibitem{a} x\n\\end{thebibliography}\n\\end{document}\n"u8
        );
        Assert.Equal("Old paper.", Assert.Single(_folder.Read(_folder.Write("hep-th9901001.gz", single)).Documents).Text);
        byte[] bulk = ArchiveTests.Tar(
            ("2101/2101.00001.gz", single),
            ("2101/2101.00002.gz", single.AsSpan()[..^8].ToArray()),
            ("2101/2101.00003.pdf", [1, 2]),
            ("2101/2101.00004.gz", ImportFolder.Gzip("no LaTeX"u8))
        );
        (var report, var documents) = _folder.Read(_folder.Write("arXiv_src_2101_001.tar", bulk), new ReadingOptions { Form = "arxiv" });
        Assert.Equal("arXiv_src_2101_001.tar/2101/2101.00001.gz", Assert.Single(documents).Source);
        Assert.Equal((1L, 1L), (report.LeftOut["damaged, within an archive"], report.LeftOut["papers without LaTeX"]));
        Assert.Contains("2101/2101.00002.gz", Assert.Single(report.Damaged), StringComparison.Ordinal);
        Assert.Equal("Old paper.", _folder.Read(_folder.PathOf("arXiv_src_2101_001.tar")).Documents[0].Text);
    }

    private static string Normal(string text) =>
        string.Join('\n', text.Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0));
}
