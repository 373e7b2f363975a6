//! The page's style: one sheet for phones and desks, light and dark.

/// The rules, but for those of the plots' colours.
pub(crate) const RULES: &str = "
:root{color-scheme:light dark;--paper:#ffffff;--card:#f6f7f9;--ink:#1a1d21;--muted:#5b626c;--grid:#dfe2e7;
--line:#dfe2e7;--on-strong:#ffffff;--reference:#7d8591;--good:#007f5c;--bad:#b3421b;--accent:#0072b2}
@media(prefers-color-scheme:dark){:root{--paper:#14171c;--card:#1c2027;--ink:#e8eaee;--muted:#a2a9b4;--grid:#2f353e;
--line:#2f353e;--on-strong:#101318;--reference:#939ba7;--good:#35d0a3;--bad:#ff9a52;--accent:#5ab4f0}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,
'Helvetica Neue',Arial,sans-serif;overflow-wrap:anywhere}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 16px}
header{padding-top:28px}
header p.kind{margin:0;color:var(--accent);font-weight:600;font-size:14px;letter-spacing:.02em}
h1{font-size:clamp(24px,5vw,34px);line-height:1.2;margin:2px 0 6px}
h2{font-size:22px;line-height:1.25;margin:44px 0 4px;padding-top:16px;border-top:1px solid var(--line)}
h3{font-size:18px;margin:30px 0 6px}
h4{font-size:15px;margin:0 0 2px}
p{margin:6px 0}
p.lead,p.note{color:var(--muted)}
p.note{font-size:13.5px;max-width:75ch}
section.run>h2:first-child{font-size:24px}
nav ul{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:12px 0 0;padding:0;font-size:14px}
a{color:var(--accent)}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,160px),1fr));gap:12px;margin:18px 0;padding:0;
list-style:none}
.tiles li{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tiles .what{font-size:13px;color:var(--muted)}
.tiles .value{font-size:26px;font-weight:650;line-height:1.25;font-variant-numeric:tabular-nums}
.tiles .value small{font-size:15px;font-weight:500;color:var(--muted)}
.tiles .than{font-size:13px;color:var(--muted);font-variant-numeric:tabular-nums}
.up{color:var(--good);font-weight:600}.down{color:var(--bad);font-weight:600}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:20px;margin:14px 0;
align-items:start}
figure.plot{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px;min-width:0}
figure.own{margin:14px 0;width:fit-content;max-width:100%}
figure.plot .canvas{overflow-x:auto}
figure.plot .canvas>svg{display:block;width:100%;max-width:560px;height:auto;margin:4px auto 0}
figure.own .canvas>svg{max-width:none;margin:4px 0 0}
.plot text{font-family:inherit;font-variant-numeric:tabular-nums}
ul.key{display:flex;flex-wrap:wrap;gap:2px 14px;list-style:none;margin:6px 0 0;padding:0;font-size:13px}
ul.key li{display:flex;align-items:center;gap:6px}
ul.key svg{width:24px;height:12px;flex:none}
ul.key line{stroke-width:8}
details{margin-top:8px;font-size:14px}
summary{cursor:pointer;color:var(--accent);padding:4px 0}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;margin:8px 0;
background:var(--paper);width:fit-content;max-width:100%}
.scroll.long{overflow:auto;max-height:min(80vh,640px)}
table{border-collapse:collapse;font-size:14px}
th,td{padding:5px 11px;text-align:left;vertical-align:top;unicode-bidi:isolate;overflow-wrap:normal}
td{border-top:1px solid var(--line)}
thead th{position:sticky;top:0;background:var(--card);color:var(--muted);font-weight:600;font-size:13px;z-index:1}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.best{font-weight:700}
tr.set td{border-top:2px solid var(--line)}
tr.sub td{border-top:0;color:var(--muted);font-size:13px;padding-top:0}
td.set{font-weight:600}
td.method{white-space:nowrap}
tr.sub td.method{padding-left:26px}
.gallery{margin:18px 0}
ul.images{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,280px),1fr));gap:12px;list-style:none;margin:8px 0;
padding:0}
ul.images li{min-width:0}
ul.images>li{display:flex;gap:12px;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px}
ul.images img{width:96px;height:96px;object-fit:contain;flex:none;border-radius:6px;background:var(--paper)}
.words{flex:1;min-width:0;font-size:13px;line-height:1.4}
.words p{margin:0}
.words p.truth{font-weight:650;font-size:14px}
.words p.path{color:var(--muted);font-size:11.5px;margin-top:4px}
.words ol{list-style:none;margin:3px 0 0;padding:0}
.words ol li{display:flex;justify-content:space-between;gap:8px}
.words ol li.right{color:var(--good);font-weight:600}
.words ol li.right span:first-child::after{content:' \\2713'}
dl.made{display:grid;grid-template-columns:minmax(110px,max-content) 1fr;gap:4px 18px;font-size:14px;margin:10px 0}
dl.made dt{color:var(--muted)}
dl.made dd{margin:0;min-width:0}
ol.vectors{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));gap:12px}
footer{color:var(--muted);font-size:13px;padding-top:28px;padding-bottom:40px}
@media print{.scroll,.scroll.long{max-height:none;overflow:visible}figure.plot,ul.images>li{break-inside:avoid}}
";
