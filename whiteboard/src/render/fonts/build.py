"""Builds the fonts that drawings are rendered with.

    npm pack @excalidraw/excalidraw@0.18.1 @fontsource/arimo@5.3.0 @fontsource/cascadia-code@5.3.0
    (unpack them as excalidraw/, arimo/ and cascadia-code/, each with its folder package/)
    pip install fonttools brotli && python3 build.py OUTPUT_FOLDER

The packages cut each font into parts by alphabet; here these become one file again, without hinting and layout tables
but kerning, which is kept as a `kern` table.
"""
import glob, os, sys, tempfile
from fontTools.ttLib import TTFont, newTable
from fontTools.merge import Merger
from fontTools import subset
from fontTools.ttLib.tables._k_e_r_n import KernTable_format_0

def kern_pairs(font):
    """Pair kerning out of GPOS as {(left, right): units} for glyphs the cmap names."""
    pairs = {}
    if 'GPOS' not in font: return pairs
    gpos = font['GPOS'].table
    wanted = set()
    for fr in gpos.FeatureList.FeatureRecord:
        if fr.FeatureTag == 'kern': wanted |= set(fr.Feature.LookupListIndex)
    for i in sorted(wanted):
        lookup = gpos.LookupList.Lookup[i]
        for st in lookup.SubTable:
            if st.LookupType == 9: st = st.ExtSubTable
            if st.LookupType != 2: continue
            cov = st.Coverage.glyphs
            if st.Format == 1:
                for g, ps in zip(cov, st.PairSet):
                    for r in ps.PairValueRecord:
                        v = r.Value1.XAdvance if r.Value1 and hasattr(r.Value1,'XAdvance') else 0
                        if v: pairs.setdefault((g, r.SecondGlyph), v)
            else:
                c1 = st.ClassDef1.classDefs; c2 = st.ClassDef2.classDefs
                second = {}
                for g in font.getGlyphOrder(): second.setdefault(c2.get(g,0), []).append(g)
                for g in cov:
                    rec = st.Class1Record[c1.get(g,0)]
                    for k, r2 in enumerate(rec.Class2Record):
                        v = r2.Value1.XAdvance if r2.Value1 and hasattr(r2.Value1,'XAdvance') else 0
                        if v:
                            for h in second.get(k, []): pairs.setdefault((g,h), v)
    return pairs

def build(parts, out, unicodes=None, family=None):
    tmp=[]
    fonts=[TTFont(p) for p in parts]
    pairs={}  # by unicode
    for f in fonts:
        rev={}
        for u,g in f.getBestCmap().items(): rev.setdefault(g,[]).append(u)
        for (a,b),v in kern_pairs(f).items():
            for x in rev.get(a,[]):
                for y in rev.get(b,[]): pairs.setdefault((x,y),v)
    for k,f in enumerate(fonts):
        for t in ('GPOS','GSUB','GDEF','gasp','fpgm','prep','cvt ','FFTM','STAT','meta','DSIG'):
            if t in f: del f[t]
        f.flavor=None
        p=os.path.join(tempfile.gettempdir(), f'part{k}.ttf'); f.save(p); tmp.append(p)
    if len(tmp)>1: font=Merger().merge(tmp)
    else: font=TTFont(tmp[0])
    cps=set(font.getBestCmap())
    if unicodes: cps&=unicodes
    o=subset.Options(); o.hinting=False; o.layout_features=[]; o.name_IDs=[0,1,2,13,14]; o.notdef_outline=True; o.glyph_names=False; o.legacy_kern=False
    s=subset.Subsetter(o); s.populate(unicodes=cps); s.subset(font)
    cm=font.getBestCmap()
    kt={}
    for (x,y),v in pairs.items():
        if x in cm and y in cm and abs(v)>=5: kt[(cm[x],cm[y])]=v
    print(os.path.basename(out), 'kern', len(kt), end=' ')
    if len(kt)>3000:
        rev={}
        for u,g in cm.items():
            if 0x20<=u<0x7f: rev[g]=u
        kt={k:v for k,v in kt.items() if k[0] in rev and k[1] in rev and abs(v)>=10}
        print('reduced', len(kt), end=' ')
    if kt:
        t=newTable('kern'); t.version=0
        k=KernTable_format_0(); k.version=0; k.coverage=1; k.tupleIndex=None; k.apple=False; k.kernTable=kt
        t.kernTables=[k]; font['kern']=t
    if family:
        for rec in font['name'].names:
            if rec.nameID in (1,4,6,16): rec.string=family
    font.save(out)
    print(len(cm),'chars', os.path.getsize(out),'bytes')
root='excalidraw/package/dist/prod/fonts/'
def rng(*r):
    s=set()
    for a,b in r: s|=set(range(a,b+1))
    return s
W=rng((0x20,0x7e),(0xa0,0x24f),(0x2b0,0x2ff),(0x300,0x304),(0x370,0x3ff),(0x400,0x45f),(0x490,0x491),(0x1e80,0x1e9e),(0x1ef2,0x1ef9),(0x2000,0x206f),(0x20a0,0x20bf),(0x2100,0x214f),(0x2190,0x21ff),(0x2200,0x22ff),(0x2500,0x25ff),(0x2070,0x209f))
A='arimo/package/files/arimo-%s-400-normal.woff2'
C='cascadia-code/package/files/cascadia-code-%s-400-normal.woff2'
E=sys.argv[1]
for name,parts,fam in [
  ('Excalifont',sorted(glob.glob(root+'Excalifont/*.woff2')),None),
  ('Nunito',sorted(glob.glob(root+'Nunito/*.woff2')),None),
  ('ComicShanns',sorted(glob.glob(root+'ComicShanns/*.woff2')),None),
  ('Display',sorted(glob.glob(root+'Lilita/*.woff2')),'Excalidraw Display'),
  ('Arimo',[A%p for p in ('latin','latin-ext','cyrillic','greek')],None),
  ('Code',[C%p for p in ('latin','latin-ext','cyrillic','greek')],'Excalidraw Code')]:
    build(parts,f'{E}/{name}.ttf',W,fam)
